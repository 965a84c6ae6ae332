//! A zone of mixed names for the comparison with real servers, made from a seed.

use std::fmt::Write as _;

use crate::random::Random;

/// The zone's name.
pub const ORIGIN: &str = "zone.example.";

/// A zone and the questions that are asked of it.
#[derive(Debug)]
pub struct Zone {
    /// The master file (RFC 1035 5).
    pub text: String,
    /// Names and types: existing, without the type asked for, and not existing.
    pub questions: Vec<(String, &'static str)>,
}

/// Makes a zone with as many questions as wanted, each for a name of its own.
pub fn make(random: &mut Random, questions: usize) -> Zone {
    let mut zone = Zone { text: head(), questions: Vec::with_capacity(questions) };
    for index in 0..questions {
        let name = format!("n{index}{}.{ORIGIN}", random.word(&["", ".sub", ".a.b", "-long-label-of-a-service-name"]));
        let rtype = add(&mut zone.text, random, &name, index);
        let asked = match index % 20 {
            17 => format!("x{index}.wild.{ORIGIN}"),
            18 => format!("missing{index}.{ORIGIN}"),
            _ => name,
        };
        zone.questions.push((asked, rtype));
    }
    zone
}

fn head() -> String {
    format!(
        "$ORIGIN {ORIGIN}\n$TTL 3600\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n\
         *.wild 1800 A 192.0.2.200\n*.wild 1800 TXT \"a wildcard\"\nmail A 192.0.2.25\nmail AAAA 2001:db8::25\n\
         end A 192.0.2.99\nend AAAA 2001:db8::99\nredirected DNAME end\n"
    )
}

/// Adds the records of one name and says which type is asked for.
fn add(text: &mut String, random: &mut Random, name: &str, index: usize) -> &'static str {
    let ttl = 300 + random.below(3000);
    let mut put = |owner: &str, rest: String| writeln!(text, "{owner} {ttl} {rest}").expect("a String takes all");
    let v4 = |random: &mut Random| format!("A 198.51.{}.{}", random.below(256), random.below(256));
    let v6 = |random: &mut Random| format!("AAAA 2001:db8::{:x}:{:x}", random.below(65_536), random.below(65_536));
    match index % 20 {
        0..=4 => {
            (0..=random.below(4)).for_each(|_| put(name, v4(random)));
            "A"
        }
        5..=7 => {
            put(name, v6(random));
            "AAAA"
        }
        8..=10 => {
            let links = 1 + random.below(3);
            for link in 0..links {
                let owner = if link == 0 { name.to_owned() } else { format!("l{link}.{name}") };
                let target = if link + 1 == links { "end".to_owned() } else { format!("l{}.{name}", link + 1) };
                put(&owner, format!("CNAME {target}"));
            }
            if index.is_multiple_of(2) { "A" } else { "AAAA" }
        }
        11 => {
            put(name, "MX 10 mail".to_owned());
            put(name, format!("MX 20 mail{index}.elsewhere.example."));
            "MX"
        }
        12 => {
            put(name, format!("TXT \"v=spf1 {index} -all\" \"Second Half\""));
            "TXT"
        }
        13 => {
            put(name, "SRV 0 50 8080 mail".to_owned());
            put(name, "SRV 0 50 8080 end".to_owned());
            "SRV"
        }
        14 => {
            // from what fits a datagram to what never does
            let strings = 1 + random.below(if index.is_multiple_of(100) { 60 } else { 8 });
            (0..strings).for_each(|part| put(name, format!("TXT \"{part} {}\"", "x".repeat(200))));
            "TXT"
        }
        15 => {
            put(name, v4(random));
            "MX" // no such data
        }
        16 => {
            put(&format!("below.{name}"), v4(random));
            "A" // an empty non-terminal
        }
        17 => random.word(&["A", "TXT", "AAAA"]),
        18 => random.word(&["A", "AAAA", "SRV"]),
        _ => {
            put(name, "CAA 0 issue \"ca.example\"".to_owned());
            "CAA"
        }
    }
}
