//! The names that a search tries, in order, and which of them may be asked together.

use std::ops::Range;

use contract::SearchList;
use contract::wire::Name;

/// Where in the list a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind the rest stands this domain of the list, counted from 0.
    Domain(usize),
    /// The rest itself.
    Absolute,
}

impl Position {
    /// The place in a search of this list, from 1 on.
    pub(crate) fn place(self, list: &SearchList) -> u8 {
        let place = match self {
            Self::Domain(number) => number + 1,
            Self::Absolute => list.domains.len() + 1,
        };
        u8::try_from(place).unwrap_or(u8::MAX)
    }
}

/// One name that may be what the pod means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: Name,
    pub(crate) position: Position,
    /// Below the cluster's zone: asking it tells nobody outside.
    pub(crate) inside: bool,
    /// So is its search domain: a cut may stand between the two.
    pub(crate) covered: bool,
}

impl Candidate {
    /// True if it is likely to exist: then the other address family is asked only if it does not. The rest of one label
    /// is mostly a service of the own namespace, and what no domain has is mostly an outside name.
    pub(crate) fn is_likely(&self, labels: usize) -> bool {
        match self.position {
            Position::Absolute => true,
            Position::Domain(number) => number == 0 && labels == 1,
        }
    }
}

/// The candidates in order. A name that is too long is skipped as a stub skips it; of equal names the first counts; `.`
/// among the domains is the rest itself.
pub(crate) fn candidates(rest: &[u8], list: &SearchList, zones: &[Name]) -> Vec<Candidate> {
    let inside = inside_zones(list, zones);
    let absolute = Name::join(rest, &Name::root());
    let joined =
        list.domains.iter().enumerate().map(|(number, domain)| (Position::Domain(number), Name::join(rest, domain)));
    let mut all: Vec<Candidate> = Vec::with_capacity(list.domains.len() + 1);
    for (position, name) in joined.chain([(Position::Absolute, absolute.clone())]) {
        let Some(name) = name.filter(|name| !all.iter().any(|one| one.name == *name)) else { continue };
        let position = if absolute.as_ref() == Some(&name) { Position::Absolute } else { position };
        let covered = match position {
            Position::Domain(number) => inside.iter().any(|zone| zone.encloses(&list.domains[number])),
            Position::Absolute => false,
        };
        let inside = inside.iter().any(|zone| zone.encloses(&name));
        all.push(Candidate { name, position, inside, covered });
    }
    all
}

/// The zones inside which asking leaks nothing: the directive's own, and for the root the zone D of a list that has both
/// `svc.D` and `D`.
fn inside_zones(list: &SearchList, zones: &[Name]) -> Vec<Name> {
    let mut inside: Vec<Name> = zones.iter().filter(|zone| !zone.is_root()).cloned().collect();
    if zones.iter().any(Name::is_root) {
        let services = list.domains.iter().filter(|domain| domain.labels().next() == Some(b"svc"));
        let clusters = services.filter_map(Name::parent);
        inside.extend(clusters.filter(|zone| !zone.is_root() && list.domains.contains(zone)));
    }
    inside
}

/// Which candidates are asked together: those inside the cluster that follow one another; the first alone if the rest has
/// one label; each that leaves the cluster alone, once all before it are judged.
pub(crate) fn groups(candidates: &[Candidate], labels: usize) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    while start < candidates.len() {
        let alone = !candidates[start].inside || start == 0 && labels == 1;
        let together = candidates[start..].iter().take_while(|candidate| candidate.inside).count();
        let end = if alone { start + 1 } else { start + together };
        groups.push(start..end);
        start = end;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::SearchLists;

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| Name::parse(text).unwrap()).collect()
    }

    fn plan(rest: &str, search: &[&str], zones: &[&str]) -> (Vec<String>, Vec<Range<usize>>) {
        let list = SearchLists::default().intern(&names(search));
        let rest = Name::parse(rest).unwrap();
        let labels = Name::strip(rest.as_wire(), Name::root().as_wire()).unwrap().to_vec();
        let all = candidates(&labels, &list, &names(zones));
        let groups = groups(&all, rest.label_count());
        (all.into_iter().map(|one| one.name.to_string()).collect(), groups)
    }

    const STOCK: [&str; 4] = ["shop.svc.d.e", "svc.d.e", "d.e", "corp.example"];

    #[test]
    fn names_are_tried_in_the_order_of_the_list() {
        let (names, groups) = plan("www.x", &STOCK, &["d.e"]);
        assert_eq!(names, ["www.x.shop.svc.d.e.", "www.x.svc.d.e.", "www.x.d.e.", "www.x.corp.example.", "www.x."]);
        assert_eq!(groups, [0..3, 3..4, 4..5]);
        assert_eq!(plan("web", &STOCK, &["d.e"]).1, [0..1, 1..3, 3..4, 4..5], "one label: the first alone");
    }

    #[test]
    fn repeats_the_root_and_long_names() {
        let (names, _) = plan("a", &["x.y", ".", "x.y", "z"], &["."]);
        assert_eq!(names, ["a.x.y.", "a.", "a.z."]);
        let long = ["b".repeat(60), "b".repeat(60), "b".repeat(60), "b".repeat(60)].join(".");
        let (names, _) = plan("a.bcdefghijk", &["x", &long, "y"], &["."]);
        assert_eq!(names, ["a.bcdefghijk.x.", "a.bcdefghijk.y.", "a.bcdefghijk."]);
    }

    #[test]
    fn the_root_as_zone_takes_the_clusters_from_the_list() {
        assert_eq!(plan("w.x", &STOCK, &["."]).1, [0..3, 3..4, 4..5]);
        assert_eq!(plan("w.x", &["a.b", "b", "corp"], &["."]).1, [0..1, 1..2, 2..3, 3..4], "no cluster to be seen");
        assert_eq!(plan("w.x", &["svc", "corp"], &["."]).1, [0..1, 1..2, 2..3], "the root is no cluster");
        assert_eq!(plan("w.x", &["corp", "n.svc.d.e"], &["d.e"]).1, [0..1, 1..2, 2..3]);
    }

    #[test]
    fn an_absolute_name_of_the_cluster_stays_behind_the_outside_domains() {
        let (names, groups) = plan("web.shop.svc.d.e", &STOCK, &["d.e"]);
        assert_eq!(names.last().unwrap(), "web.shop.svc.d.e.");
        assert_eq!(groups, [0..3, 3..4, 4..5]);
    }
}
