//! What was explained, as text for people: who asks, the block, the candidates, the steps, the reply.

use std::fmt::Write as _;

use super::super::daemon::{harmless, short};
use crate::see::api::{ClientAs, Explained, StepTold};

/// The whole of it.
pub(super) fn text(typed: &str, explained: &Explained) -> String {
    let mut out = String::new();
    let Explained { asked, client, block, chain, walk, steps, left_out, reply } = explained;
    line(&mut out, "name", &format!("{typed} {}", asked.rtype));
    who(&mut out, client);
    line(&mut out, "asked", &format!("{} {}", asked.name, asked.rtype));
    line(&mut out, "block", if block.is_empty() { "none" } else { block });
    line(&mut out, "plugins", &chain.join(" -> "));
    if !walk.is_empty() {
        out.push_str("\ncandidates\n");
        let rows: Vec<_> = walk
            .iter()
            .map(|one| [format!("{} of {}", one.position, one.of), one.name.clone(), one.result.clone()])
            .collect();
        table(&mut out, &rows);
    }
    out.push_str("\nsteps\n");
    // they were told as they ended; people follow what began first
    let mut in_order: Vec<&StepTold> = steps.iter().collect();
    in_order.sort_by(|one, other| one.begun_s.total_cmp(&other.begun_s).then(one.depth.cmp(&other.depth)));
    let time = |seconds: f64| format!("{:.3}", 1e3 * seconds);
    let times: Vec<[String; 2]> = in_order.iter().map(|step| [time(step.begun_s), time(step.took_s)]).collect();
    let wide = [0, 1].map(|column| times.iter().map(|row| row[column].len()).max().unwrap_or_default());
    let rows = in_order.iter().zip(&times).map(|(told, time)| step(told, time, wide));
    table(&mut out, &rows.collect::<Vec<_>>());
    if *left_out > 0 {
        let _ = writeln!(out, "  and {left_out} more");
    }
    out.push_str("\nreply\n");
    let _ = writeln!(out, "  {} in {}", harmless(&reply.rcode), short(reply.took_s));
    let _ = writeln!(out, "  {}", harmless(&reply.way));
    for record in &reply.records {
        let _ = writeln!(out, "  {}", harmless(record));
    }
    for ede in &reply.ede {
        let _ = writeln!(out, "  EDE {}", harmless(ede));
    }
    out
}

fn who(out: &mut String, client: &ClientAs) {
    let who = match (&client.pod, &client.ip) {
        (Some(pod), Some(ip)) => format!("{pod} ({ip})"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "nobody in particular".to_owned(),
    };
    line(out, "client", &who);
    if !client.search.is_empty() {
        line(out, "search", &format!("{}, ndots {}", client.search.join(" "), client.ndots));
    }
    if let Some(plain) = &client.plain {
        line(out, "autopath", &format!("none: {plain}"));
    }
}

/// One step; its times are as wide as the widest, so that they can be compared at sight.
fn step(step: &StepTold, [begun, took]: &[String; 2], [begun_wide, took_wide]: [usize; 2]) -> [String; 4] {
    let at = format!("{begun:>begun_wide$} +{took:>took_wide$} ms");
    // the depth is seen: what a candidate led to stands below it
    let kind = format!("{}{}", "  ".repeat(usize::from(step.depth).min(4)), step.kind);
    [at, kind, format!("{} {}", step.name, step.rtype), step.text.clone()]
}

fn line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name:<9} {}", harmless(value));
}

/// Columns as wide as their widest word, the last one as it comes.
fn table<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|word| harmless(word))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in &rows {
        out.push(' ');
        for (column, word) in row.iter().enumerate() {
            let wide = if column + 1 < N { widths[column] } else { 0 };
            let _ = write!(out, " {word:<wide$}");
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::see::api::{Asked, Told, Walked};

    #[test]
    fn everything_that_was_told_is_there_and_steers_no_terminal() {
        let walked = |position, name: &str, result: &str| Walked {
            position,
            of: 2,
            name: name.to_owned(),
            result: result.to_owned(),
        };
        let step = |depth, begun_s, took_s, kind: &str, text: &str| StepTold {
            name: "www.example.com.".to_owned(),
            rtype: "A".to_owned(),
            depth,
            begun_s,
            took_s,
            kind: kind.to_owned(),
            text: text.to_owned(),
        };
        let explained = Explained {
            asked: Asked { name: "www.example.com.a.d.".to_owned(), rtype: "A".to_owned() },
            client: ClientAs {
                ip: Some("10.0.0.7".to_owned()),
                pod: Some("shop/\x1bweb".to_owned()),
                search: vec!["a.d.".to_owned()],
                ndots: 5,
                plain: None,
            },
            block: "d".to_owned(),
            chain: vec!["autopath".to_owned(), "forward".to_owned()],
            walk: vec![
                walked(1, "www.example.com.a.d.", "does not exist"),
                walked(2, "www.example.com.", "answers; asked udp 192.0.2.53:53"),
            ],
            steps: vec![
                step(1, 0.0012, 0.003, "upstream", "udp 192.0.2.53:53: said NOERROR"),
                step(1, 0.000_01, 0.000_002, "memory", "nothing"),
                step(0, 0.000_01, 0.0142, "block", "d"),
            ],
            left_out: 3,
            reply: Told {
                rcode: "NOERROR".to_owned(),
                records: vec!["www.example.com. 30 IN A 192.0.2.1".to_owned()],
                ede: vec!["3: stale".to_owned()],
                took_s: 0.0042,
                way: "miss udp 192.0.2.53:53 3ms".to_owned(),
            },
        };
        let expected = "\
name      www.example.com A
client    shop/\\u{1b}web (10.0.0.7)
search    a.d., ndots 5
asked     www.example.com.a.d. A
block     d
plugins   autopath -> forward

candidates
  1 of 2 www.example.com.a.d. does not exist
  2 of 2 www.example.com.     answers; asked udp 192.0.2.53:53

steps
  0.010 +14.200 ms block      www.example.com. A d
  0.010 + 0.002 ms   memory   www.example.com. A nothing
  1.200 + 3.000 ms   upstream www.example.com. A udp 192.0.2.53:53: said NOERROR
  and 3 more

reply
  NOERROR in 4.2 ms
  miss udp 192.0.2.53:53 3ms
  www.example.com. 30 IN A 192.0.2.1
  EDE 3: stale
";
        assert_eq!(text("www.example.com", &explained), expected);
    }
}
