//! A reply in dig's words, for whoever reads what was not expected.

use std::fmt::Write as _;

use super::deviation::FLAGS;
use super::exchange::Said;

const RCODES: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

/// What a server said.
pub(crate) fn said(said: &Said) -> String {
    let reply = match said {
        Said::Reply(reply, _) => reply,
        Said::Broken(why) => return format!(";; broken: {why}\n"),
        Said::Nothing => return ";; no reply\n".to_owned(),
    };
    let mut text = String::new();
    let mut put = |line: String| writeln!(text, "{line}").expect("a String takes all");
    let status =
        RCODES.get(usize::from(reply.rcode)).map_or_else(|| reply.rcode.to_string(), |word| (*word).to_owned());
    let flags: Vec<&str> = FLAGS.iter().filter(|(mask, _)| reply.flags & mask != 0).map(|(_, name)| *name).collect();
    put(format!(";; ->>HEADER<<- status: {status}, id: {}; flags: {}", reply.id, flags.join(" ")));
    if let Some(opt) = &reply.opt {
        let dnssec = if opt.dnssec_ok { " do" } else { "" };
        put(format!("; EDNS: version: {}, flags:{dnssec}; udp: {}", opt.version, opt.size));
        for (code, octets) in &opt.options {
            match (code, octets.as_slice()) {
                (15, [high, low, words @ ..]) => {
                    put(format!("; EDE: {} ({})", u16::from_be_bytes([*high, *low]), words.escape_ascii()));
                }
                _ => put(format!("; OPT={code}: {}", octets.escape_ascii())),
            }
        }
    }
    for (section, title) in ["ANSWER", "AUTHORITY", "ADDITIONAL"].into_iter().enumerate() {
        let lines: Vec<_> = reply.lines.iter().filter(|line| line.section == section).collect();
        if !lines.is_empty() {
            put(format!(";; {title} SECTION:"));
        }
        for line in lines.iter().take(12) {
            let (owner, rest) = line.text.split_once(' ').unwrap_or((&line.text, ""));
            put(format!("{owner}\t{}\tIN {:.150}", line.ttl, rest));
        }
        if lines.len() > 12 {
            put(format!("; ... and {} more", lines.len() - 12));
        }
    }
    put(format!(";; MSG SIZE rcvd: {}", reply.wire.len()));
    text
}
