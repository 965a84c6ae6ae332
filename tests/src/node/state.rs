//! What a node shows of its network: links, addresses, rules. Two such texts are equal if nobody can tell the nodes apart.

use std::collections::BTreeMap;

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

/// The lines that `after` has more often than `before` with a `+` before them, and the other way round with a `-`; their order
/// does not count.
pub fn difference(before: &str, after: &str) -> String {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    before.lines().for_each(|line| *counts.entry(line).or_default() -= 1);
    after.lines().for_each(|line| *counts.entry(line).or_default() += 1);
    let marked = |(line, count): (&str, i32)| {
        let mark = if count > 0 { '+' } else { '-' };
        format!("{mark} {line}\n").repeat(count.unsigned_abs() as usize)
    };
    counts.into_iter().map(marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_stands_twice_is_a_difference() {
        assert_eq!(difference("a\nb\n", "b\na\n"), "");
        assert_eq!(difference("a\nb\n", "a\nb\nb\n"), "+ b\n");
        assert_eq!(difference("a\nb\n", "a\n"), "- b\n");
    }

    #[test]
    fn what_changes_by_itself_is_not_shown() {
        let line = "7: br0: <UP> state DOWN link/ether 0a:00:00:00:00:01 brd ff";
        assert_eq!(lasting(line), "br0: <UP> brd ff");
        assert_eq!(lasting("elements = { 10.0.0.1 timeout 1d expires 23h59m }"), "elements = { 10.0.0.1 timeout 1d }");
    }
}
