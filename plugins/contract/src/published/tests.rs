//! What is published, withdrawn and changed: by examples, at the bounds, and against a model that keeps everything.

mod model;

use std::time::Duration;

use super::*;
use crate::limits::{PUBLISHED_CHANGES_MAX, PUBLISHED_NAMES_MAX, WITHDRAWN_FOR, WITHDRAWN_MAX};

const NOW: Moment = Moment(1_000_000);
const A: Option<RecordType> = Some(RecordType::A);
const AAAA: Option<RecordType> = Some(RecordType::AAAA);
const CNAME: Option<RecordType> = Some(RecordType::CNAME);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn object(text: &str) -> Object {
    Object { kind: Kind::Service, namespace: "shop".into(), name: text.into() }
}

fn records(name: &str, rtype: Option<RecordType>, targets: &[&str]) -> Publication {
    let targets = targets.iter().map(|target| Box::from(*target)).collect();
    Publication { name: Name::parse(name).unwrap(), rtype, targets, ttl: None, is_plain: true }
}

fn a(name: &str) -> Publication {
    records(name, A, &["192.0.2.1"])
}

/// `OBJECT: NAME`.
fn shown(found: Vec<(Arc<Object>, Publication)>) -> Vec<String> {
    found.into_iter().map(|(object, one)| format!("{object}: {}", one.name)).collect()
}

fn names(published: &Published, version: u64) -> Vec<String> {
    match published.changes_since(version).1 {
        Changes::Names(names) => names.iter().map(Name::to_string).collect(),
        Changes::Any => vec!["any".to_owned()],
    }
}

#[test]
fn what_is_kept_is_what_was_said() {
    let published = Published::new(&[]);
    let long = "x".repeat(70_000);
    let many: Vec<String> = (0..300).map(|number| format!("198.51.100.{number}")).collect();
    let said = [
        records("a.z", None, &[]),
        Publication { ttl: Some(u32::MAX), is_plain: false, ..records("a.z", A, &["192.0.2.1"]) },
        Publication { ttl: Some(0), ..records("b.z", Some(RecordType(65_535)), &["", &long, "ü \" \\ \0"]) },
        records(".", A, &many.iter().map(String::as_str).collect::<Vec<_>>()),
        records(&format!("{}{}a", "a.".repeat(126), ""), CNAME, &["b.z"]),
    ];
    let object = Object { kind: Kind::Ingress, namespace: "".into(), name: long.as_str().into() };
    assert!(published.set(object.clone(), said.to_vec(), NOW));
    for one in &said {
        let expected: Vec<_> = said.iter().filter(|other| other.name == one.name).cloned().collect();
        let (objects, found): (Vec<_>, Vec<_>) = published.at(&one.name).into_iter().unzip();
        assert_eq!(found, expected);
        assert!(objects.iter().all(|one| **one == object));
    }
    assert_eq!(published.count(), 5);
}

#[test]
fn objects_share_a_name_and_are_told_apart() {
    let published = Published::new(&[]);
    let as_ingress = Object { kind: Kind::Ingress, ..object("web") };
    let elsewhere = Object { namespace: "sho".into(), ..object("pweb") };
    for one in [object("web"), as_ingress.clone(), elsewhere] {
        published.set(one, vec![a("web.z"), records("web.z", AAAA, &["2001:db8::1"])], NOW);
    }
    let two = |text: &str| vec![text.to_owned(); 2];
    let all =
        [two("Service sho/pweb: web.z."), two("Service shop/web: web.z."), two("Ingress shop/web: web.z.")].concat();
    assert_eq!(shown(published.at(&name("WEB.z"))), all);
    published.set(object("web"), Vec::new(), NOW);
    assert_eq!(shown(published.at(&name("web.z"))), [&all[..2], &all[4..]].concat());
    assert_eq!(published.count(), 4);
}

#[test]
fn the_nearest_wildcard_covers_unless_a_name_stands_between() {
    let published = Published::new(&[]);
    published.set(object("wild"), vec![a("*.z"), a("*.b.z"), a("own.z"), a("x.c.z"), a("d.z")], NOW);
    for (asked, expected) in [
        ("own.z", Some("own.z.")),
        ("other.z", Some("*.z.")),
        ("deep.er.z", Some("*.z.")),
        ("1.b.z", Some("*.b.z.")),
        ("1.2.b.z", Some("*.b.z.")),
        ("*.z", Some("*.z.")),
        ("b.z", None), // it exists, because *.b.z does
        ("c.z", None),
        ("1.d.z", None),
        ("1.2.d.z", None),
        ("1.c.z", None),
        ("1.2.c.z", None),
        ("x.c.z", Some("x.c.z.")),
        ("z", None),
        (".", None),
        ("other.y", None),
    ] {
        let found = published.covering(&name(asked));
        assert_eq!(found.first().map(|(_, one)| one.name.to_string()).as_deref(), expected, "{asked}");
    }
}

#[test]
fn what_was_withdrawn_is_known_by_type_for_a_while_and_until_it_is_published_again() {
    let published = Published::new(&[]);
    let was = |rtype: Option<RecordType>, now| published.was_withdrawn(&name("a.z"), rtype.unwrap(), now);
    let v6 = || records("a.z", AAAA, &["2001:db8::1"]);
    published.set(object("one"), vec![a("a.z"), v6()], NOW);
    assert!(!was(A, NOW));
    published.set(object("one"), vec![a("a.z")], NOW);
    assert!(was(AAAA, NOW) && !was(A, NOW));
    let later = NOW.after(Duration::from_secs(60));
    published.set(object("one"), vec![records("a.z", A, &["192.0.2.2"])], later);
    assert!(was(AAAA, later), "another address changes nothing of it");
    published.set(object("one"), Vec::new(), later);
    assert!(was(AAAA, later) && was(A, later), "the second does not hide the first");
    assert!(!was(Some(RecordType::TXT), later), "that never was");
    let last = NOW.after(WITHDRAWN_FOR);
    assert!(!was(AAAA, last) && was(A, last), "each lasts from its own time");
    published.set(object("two"), vec![records("a.z", CNAME, &["b.y"])], last);
    assert!(!was(A, last) && !was(AAAA, last), "it is there, as a CNAME");
    published.set(object("two"), Vec::new(), last);
    assert!(was(Some(RecordType::TXT), last), "a CNAME is for every type");
    published.set(object("two"), vec![records("a.z", None, &[])], last);
    assert!(!was(A, last), "it may be there");
    published.set(object("two"), Vec::new(), last);
    assert!(was(Some(RecordType::MX), last), "any may have been");
}

#[test]
fn what_somebody_else_publishes_was_not_withdrawn() {
    let published = Published::new(&[]);
    let was = |asked: &str| published.was_withdrawn(&name(asked), RecordType::A, NOW);
    published.set(object("one"), vec![a("a.z"), a("*.w.z")], NOW);
    published.set(object("two"), vec![a("a.z")], NOW);
    published.set(object("one"), Vec::new(), NOW);
    assert!(!was("a.z") && was("x.w.z") && was("y.x.w.z") && !was("x.z"));
    published.set(object("three"), vec![a("*.z")], NOW);
    assert!(!was("x.w.z"), "the next wildcard has it now");
    published.set(object("three"), vec![records("w.z", AAAA, &["2001:db8::1"])], NOW);
    assert!(was("x.w.z") && !was("x.z.w"), "w.z stands between");
    published.replace(Kind::Service, vec![(object("four"), vec![a("a.z")])], NOW);
    assert!(!was("a.z"), "it went from one to another");
    published.replace(Kind::Ingress, Vec::new(), NOW);
    assert!(!was("a.z"), "of another kind");
    published.replace(Kind::Service, Vec::new(), NOW);
    assert!(was("a.z"));
}

#[test]
fn a_list_tells_only_what_really_changed() {
    let published = Published::new(&[Kind::Service, Kind::Ingress]);
    let list = |last: &str| {
        vec![
            (object("one"), vec![a("old.z")]),
            (object("two"), vec![records("c.z", A, &[last])]),
            (object("one"), vec![a("b.z"), a("a.z")]),
        ]
    };
    let mut versions = published.versions();
    assert!(published.replace(Kind::Service, list("192.0.2.1"), NOW));
    assert!(!published.is_listed() && versions.has_changed().unwrap());
    assert_eq!(
        (*versions.borrow_and_update(), names(&published, 0)),
        (3, vec!["a.z.".into(), "b.z.".into(), "c.z.".into()])
    );
    published.replace(Kind::Service, list("192.0.2.1"), NOW);
    assert!(!versions.has_changed().unwrap(), "nothing did");
    published.replace(Kind::Service, list("192.0.2.2"), NOW);
    assert_eq!((*versions.borrow_and_update(), names(&published, 3)), (4, vec!["c.z.".into()]));
    published.replace(Kind::Ingress, Vec::new(), NOW);
    assert!(published.is_listed() && versions.has_changed().unwrap(), "that it is listed is told");
    assert_eq!((*versions.borrow_and_update(), names(&published, 4)), (4, vec![]));
    published.replace(Kind::Service, list("192.0.2.2").split_off(2), NOW);
    assert_eq!(names(&published, 4), ["c.z."]);
    assert!(!published.was_withdrawn(&name("old.z"), RecordType::A, NOW), "the last word on an object counts");
}

#[test]
fn two_readers_come_at_different_times_and_who_is_far_behind_looks_at_all() {
    let published = Published::new(&[]);
    let many: Vec<_> = (0..PUBLISHED_CHANGES_MAX).map(|number| a(&format!("n{number}.z"))).collect();
    published.set(object("first"), vec![a("first.z")], NOW);
    assert_eq!(names(&published, 0), ["first.z."]);
    published.set(object("many"), many, NOW);
    assert_eq!(names(&published, 1).len(), PUBLISHED_CHANGES_MAX);
    assert_eq!(published.changes_since(0), (1 + PUBLISHED_CHANGES_MAX as u64, Changes::Any));
    let (now, _) = published.changes_since(1);
    published.set(object("first"), Vec::new(), NOW);
    published.set(object("first"), vec![a("first.z")], NOW);
    assert_eq!(names(&published, now), ["first.z."], "once");
    assert_eq!(names(&published, 1), ["any"]);
    assert_eq!((names(&published, now + 2), names(&published, u64::MAX)), (vec![], vec![]));
}

#[test]
fn the_latest_changes_are_known_with_their_moments() {
    let published = Published::new(&[]);
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    assert_eq!(published.recent(), Recent { version: 0, names: vec![], whole_since: None });
    published.set(object("one"), vec![a("a.z"), a("b.z")], at(1));
    published.replace(Kind::Service, vec![(object("one"), vec![a("b.z")])], at(2));
    let Recent { version, mut names, whole_since } = published.recent();
    names.sort();
    assert_eq!((version, whole_since), (3, None));
    assert_eq!(names, [(name("a.z"), at(2)), (name("b.z"), at(1))]);
    let many: Vec<_> = (0..PUBLISHED_CHANGES_MAX).map(|number| a(&format!("n{number}.z"))).collect();
    published.set(object("many"), many, at(3));
    assert_eq!(published.recent().whole_since, Some(at(2)), "one before it is forgotten");
    published.set(object("one"), vec![], at(4));
    let recent = published.recent();
    assert_eq!((recent.names.len(), recent.whole_since), (PUBLISHED_CHANGES_MAX, Some(at(3))));
}

#[test]
fn beyond_the_bounds_nothing_is_kept_and_nothing_is_called_withdrawn() {
    let published = Published::new(&[]);
    let many = |from: usize, to: usize| (from..to).map(|number| a(&format!("n{number}.z"))).collect::<Vec<_>>();
    assert!(published.set(object("many"), many(0, PUBLISHED_NAMES_MAX - 1), NOW));
    assert!(!published.set(object("more"), vec![a("last.z"), a("left-out.z")], NOW));
    assert_eq!(published.count(), PUBLISHED_NAMES_MAX);
    assert!(!published.set(object("more"), vec![a("new.z"), a("last.z")], NOW), "there is room for the first one");
    assert_eq!((shown(published.at(&name("last.z"))), shown(published.at(&name("new.z"))).len()), (vec![], 1));
    assert!(!published.was_withdrawn(&name("last.z"), RecordType::A, NOW), "it is published all the same");
    assert!(!published.set(object("no-room"), vec![a("x.z")], NOW));
    published.set(object("many"), Vec::new(), NOW);
    assert_eq!(published.count(), 1);
    let was = |number: usize| published.was_withdrawn(&name(&format!("n{number}.z")), RecordType::A, NOW);
    let remembered = (0..PUBLISHED_NAMES_MAX - 1).filter(|number| was(*number)).count();
    assert_eq!(remembered, WITHDRAWN_MAX, "the latest");

    let large = || "x".repeat(limits::PUBLISHED_OCTETS_MAX / 2);
    assert!(published.set(object("large"), vec![records("a.z", A, &[&large()])], NOW));
    assert!(!published.set(object("larger"), vec![a("b.z"), records("c.z", A, &[&large()])], NOW));
    assert_eq!((published.at(&name("b.z")).len(), published.at(&name("c.z")).len()), (1, 0));
    published.set(object("large"), Vec::new(), NOW);
    assert!(published.set(object("larger"), vec![records("c.z", A, &[&large()])], NOW), "room is given back");
}

#[test]
fn a_reader_may_ask_while_it_looks_at_the_version_and_misses_nothing_of_several_writers() {
    let published = Published::new(&[]);
    let mut versions = published.versions();
    std::thread::scope(|threads| {
        for writer in 0..4 {
            let published = &published;
            threads.spawn(move || {
                for number in 0..250 {
                    published.set(
                        object(&format!("{writer}-{number}")),
                        vec![a(&format!("n{number}.w{writer}.z"))],
                        NOW,
                    );
                }
            });
        }
        let (mut known, mut seen) = (0, BTreeSet::new());
        while known < 1_000 {
            let (now, changes) = {
                let version = versions.borrow_and_update(); // held meanwhile
                assert!(*version <= 1_000);
                published.changes_since(known)
            };
            assert!(now >= known);
            known = now;
            let Changes::Names(names) = changes else { panic!("it is not far behind") };
            seen.extend(names);
        }
        assert_eq!(seen.len(), 1_000);
    });
    assert_eq!((published.count(), *versions.borrow()), (1_000, 1_000));
}

#[test]
fn all_names_are_those_published_and_those_withdrawn_of_late() {
    let published = Published::new(&[]);
    assert!(published.set(object("one"), vec![a("a.z"), records("a.z", AAAA, &["2001:db8::1"]), a("*.z")], NOW));
    assert!(published.set(object("two"), vec![a("a.z"), a("b.z")], NOW));
    assert!(published.set(object("two"), vec![], NOW));
    let mut all: Vec<String> = published.names().iter().map(Name::to_string).collect();
    all.sort();
    assert_eq!(all, ["*.z.", "a.z.", "b.z."]);
}
