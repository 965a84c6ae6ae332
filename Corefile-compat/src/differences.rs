//! What nearpath answers otherwise than CoreDNS 1.14.7 on purpose: the one list, for `nearpath check --explain`, for the README's
//! table, and for the differential tests, in which each must occur and nothing else may.

mod list;

use std::fmt::Write as _;

pub use list::DIFFERENCES;

/// One wanted difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short name for it.
    pub id: &'static str,
    /// The directives whose users meet it; none: everybody.
    pub directives: &'static [&'static str],
    /// What CoreDNS does.
    pub coredns: &'static str,
    /// What nearpath does.
    pub nearpath: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Those that users of a directive meet, without those that everybody meets.
pub fn of(directive: &str) -> impl Iterator<Item = &'static Difference> {
    DIFFERENCES.iter().filter(move |difference| difference.directives.contains(&directive))
}

/// The list as a table in Markdown, as the README holds it.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| Difference | Directives | CoreDNS | nearpath | Why |\n|---|---|---|---|---|\n");
    for Difference { id, directives, coredns, nearpath, reason } in DIFFERENCES {
        let quoted: Vec<String> = directives.iter().map(|directive| format!("`{directive}`")).collect();
        let at = if quoted.is_empty() { "all".to_owned() } else { quoted.join(", ") };
        writeln!(text, "| {id} | {at} | {coredns} | {nearpath} | {reason} |").expect("a string takes every text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_says_everything() {
        for (index, difference) in DIFFERENCES.iter().enumerate() {
            let Difference { id, directives, coredns, nearpath, reason } = difference;
            assert!(DIFFERENCES[..index].iter().all(|before| before.id != *id), "{id} stands twice");
            assert!(!coredns.is_empty() && !nearpath.is_empty() && !reason.is_empty(), "{id}");
            assert!(
                id.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-'),
                "{id}"
            );
            let all = [coredns, nearpath, reason];
            assert!(all.iter().all(|text| !text.contains('|')), "{id}: a table's cell has no bar");
            assert!(directives.iter().all(|name| crate::lookup(name).is_some()), "{id}: {directives:?}");
        }
        assert!(of("cache").count() > 5 && of("nothing").count() == 0);
    }

    #[test]
    fn the_readme_holds_the_list() {
        let readme = include_str!("../README.md");
        let table = markdown();
        if !readme.contains(&table) && std::env::var_os("UPDATE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
            let begin = readme.find("| Difference |").expect("the table begins");
            let end = readme[begin..].find("\n\n").map_or(readme.len(), |at| begin + at + 1);
            std::fs::write(path, format!("{}{table}{}", &readme[..begin], &readme[end..])).expect("a writable README");
            return;
        }
        assert!(
            readme.contains(&table),
            "the README's table is not the code's (UPDATE=1 writes it), which is:\n\n{table}"
        );
    }
}
