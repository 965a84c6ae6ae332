//! The kubelet's bounds: 32 domains, 253 characters each, 2048 in all.

use super::*;

/// A domain of so many characters, each its own.
fn long(number: usize, characters: usize) -> String {
    let mut domain = format!("n{number:03}");
    while domain.len() < characters {
        let label = (characters - domain.len() - 1).min(50);
        // never a label of nothing at the end
        let label = if characters - domain.len() - 1 - label == 1 { label - 1 } else { label };
        domain = format!("{domain}.{}", "x".repeat(label));
    }
    assert_eq!(domain.len(), characters);
    domain
}

/// So many short domains.
fn short(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("d{number}.example")).collect()
}

/// Domains of these lengths.
fn of(characters: &[usize]) -> Vec<String> {
    characters.iter().enumerate().map(|(number, characters)| long(number, *characters)).collect()
}

/// With another one at this place.
fn with(mut domains: Vec<String>, at: usize, domain: &str) -> Vec<String> {
    domains.insert(at, domain.to_owned());
    domains
}

/// A pod that has these alone.
fn own(domains: &[String]) -> Value {
    json!({"dnsPolicy": "None", "dnsConfig": {"searches": domains}})
}

/// A pod that has these behind the usual three, which take 22 + 1 + 17 + 1 + 13 = 54 characters.
fn behind(domains: &[String]) -> Value {
    json!({"dnsPolicy": "ClusterFirst", "dnsConfig": {"searches": domains}})
}

fn usual(rest: &[String]) -> String {
    format!("+ {} | 5", rest.join(" "))
}

fn shown(domains: &[String], ndots: u8) -> String {
    format!("{} | {ndots}", domains.join(" "))
}

pub(super) fn counts() -> Vec<Case> {
    let twice = format!("search {}d1.example d2.example", "d0.example ".repeat(31));
    vec![
        case("32 domains", host(""), own(&short(32)), shown(&short(32), 1)),
        case("33 domains: the last is dropped", host(""), own(&short(33)), shown(&short(32), 1)),
        case("29 beside the usual three", host(""), behind(&short(29)), usual(&short(29))),
        case("30 beside the usual three", host(""), behind(&short(30)), usual(&short(29))),
        case(
            "repeats go before the count",
            host(""),
            own(&with(short(32), 0, "d5.example")),
            shown(&with([&short(32)[..5], &short(32)[6..]].concat(), 0, "d5.example"), 1),
        ),
        case("repeats in capitals count", host(""), own(&with(short(32), 1, "D0.example")), shown(&short(31), 1)),
        case("the root counts", host(""), own(&with(short(32), 0, ".")), format!(". {}", shown(&short(31), 1))),
        case(
            "without a dnsConfig the host's repeats count",
            host(&twice),
            policy("Default"),
            "d0.example d1.example | 1",
        ),
        case(
            "with one they do not",
            host(&twice),
            json!({"dnsPolicy": "Default", "dnsConfig": {}}),
            "d0.example d1.example d2.example | 1",
        ),
    ]
}

pub(super) fn characters() -> Vec<Case> {
    // 7 * 253 + 6 = 1777; 1777 + 1 + 200 + 1 + 69 = 2048
    let full = of(&[253, 253, 253, 253, 253, 253, 253, 200, 69]);
    let over = of(&[253, 253, 253, 253, 253, 253, 253, 200, 70]);
    // 54 + 1 + 1777 + 1 + 215 = 2048
    let beside = of(&[253, 253, 253, 253, 253, 253, 253, 215]);
    let too_much = of(&[253, 253, 253, 253, 253, 253, 253, 216, 4]);
    vec![
        case("253 characters", host(""), own(&of(&[253, 10])), shown(&of(&[253, 10]), 1)),
        case(
            "254 characters: that one is dropped",
            host(""),
            own(&with(of(&[10]), 0, &long(7, 254))),
            shown(&of(&[10]), 1),
        ),
        case(
            "253 and a dot: dropped too",
            host(""),
            own(&with(of(&[10]), 0, &format!("{}.", long(7, 253)))),
            shown(&of(&[10]), 1),
        ),
        case(
            "the host's dot goes before",
            host(&format!("search {}.", long(7, 253))),
            policy("Default"),
            shown(&[long(7, 253)], 1),
        ),
        case("long ones go after the count", host(""), own(&with(short(32), 0, &long(7, 254))), shown(&short(31), 1)),
        case(
            "an unusable long one is dropped before it is looked at",
            host(""),
            own(&with(of(&[10]), 0, &"a".repeat(254))),
            shown(&of(&[10]), 1),
        ),
        case("2048 characters", host(""), own(&full), shown(&full, 1)),
        case("2049 characters: the last is dropped", host(""), own(&over), shown(&over[..8], 1)),
        case("2048 with the usual three", host(""), behind(&beside), usual(&beside)),
        case(
            "a short one behind one that does not fit goes as well",
            host(""),
            behind(&too_much),
            usual(&too_much[..7]),
        ),
        case(
            "an unusable one behind the cut does not matter",
            host(""),
            own(&with(over[..8].to_vec(), 8, &format!("{}..b", "a".repeat(70)))),
            shown(&over[..8], 1),
        ),
        case("the count comes before the cut", host(""), own(&with(short(31), 31, "a..b")), "none"),
        case("and drops unusable ones", host(""), own(&with(short(32), 32, "a..b")), shown(&short(32), 1)),
    ]
}
