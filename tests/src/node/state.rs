//! What a node shows of its network: links, addresses, rules. Two such texts are equal if nobody can tell the nodes apart.

use super::space::Space;

/// Links, addresses, routes, policy rules, nftables' rules and those of iptables, without counters and ages.
#[track_caller]
pub(super) fn of(node: &Space) -> String {
    let commands = [
        "ip -o link show",
        "ip -o addr show",
        "ip route show table all",
        "ip -6 route show table all",
        "ip rule show",
        "ip -6 rule show",
        "ip neigh show nud permanent",
        "nft list ruleset",
        "iptables-save",
        "ip6tables-save",
    ];
    let mut text = String::new();
    for command in commands {
        text.push_str(&format!("== {command}\n"));
        let said = node.sh(command);
        said.lines().filter(|line| !line.starts_with('#')).for_each(|line| {
            text.push_str(&lasting(line));
            text.push('\n');
        });
    }
    text
}

/// A line without what changes by itself: ages, counters, numbers of links and their random addresses, carriers.
fn lasting(line: &str) -> String {
    let mut words = Vec::new();
    let mut all = line.split_whitespace().peekable();
    while let Some(word) = all.next() {
        match word {
            "expires" | "packets" | "bytes" | "state" | "link/ether" | "lladdr" => {
                all.next();
            }
            _ if words.is_empty() && word.trim_end_matches(':').parse::<u32>().is_ok() => {}
            _ if word.starts_with('[') && word.ends_with(']') && word.contains(':') => {}
            _ => words.push(word),
        }
    }
    words.join(" ")
}

/// The lines of `after` that `before` does not have with a `+` before them, and the other way round with a `-`.
pub fn difference(before: &str, after: &str) -> String {
    let missing = |from: &str, of: &str, mark: &str| -> String {
        let known: Vec<&str> = from.lines().collect();
        of.lines().filter(|line| !known.contains(line)).map(|line| format!("{mark} {line}\n")).collect()
    };
    missing(after, before, "-") + &missing(before, after, "+")
}
