//! What works and could be better: hints for whoever brings a Corefile from elsewhere. One row of the table per hint.

use contract::corefile::{Block, Corefile, Report, Statement, Zone};
use contract::wire::Name;

/// Answers of a block that `cache` holds unless it says otherwise.
const CAPACITY: usize = 9_984;

/// Where a cluster's own addresses are turned into names.
const REVERSE: [&str; 2] = ["in-addr.arpa.", "ip6.arpa."];

/// A look at a server block; it says what it finds. The name is the cluster's domain.
type Hint = fn(&Block, &Name, &mut Report);

/// Every hint, in the order in which a reader would go through a block.
const HINTS: &[Hint] = &[log_left_on, missing_autopath, no_cache, small_cache, no_loop, udp_to_the_centre];

/// Says what could be better. `domain` is the cluster's.
pub(super) fn look(corefile: &Corefile, domain: &Name, report: &mut Report) {
    for block in &corefile.blocks {
        HINTS.iter().for_each(|hint| hint(block, domain, report));
    }
}

fn log_left_on(block: &Block, _: &Name, report: &mut Report) {
    let Some(log) = block.directive("log") else { return };
    let all = log.property("class").is_none_or(|class| class.arguments.iter().any(|word| *word == "all"));
    if all {
        report
            .hint(log.name.span, "every query becomes a line in the log")
            .help("remove it, or keep `class error`; `nearpath watch` shows queries while somebody looks");
    }
}

fn missing_autopath(block: &Block, domain: &Name, report: &mut Report) {
    let is_cluster = block.keys.iter().any(|key| key.zone.as_str() == domain.to_string());
    if is_cluster && block.directive("autopath").is_none() {
        report
            .hint(block.keys[0].span, "pods walk their search lists themselves: up to 8 questions for an outside name")
            .help("write `autopath @kubernetes` here: then it is 2");
    }
}

fn no_cache(block: &Block, _: &Name, report: &mut Report) {
    if let Some(forward) = block.directive("forward").filter(|_| block.directive("cache").is_none()) {
        report
            .hint(forward.name.span, "each question goes to the upstream: the block has no `cache`")
            .help("add `cache`");
    }
}

fn small_cache(block: &Block, _: &Name, report: &mut Report) {
    let Some(cache) = block.directive("cache") else { return };
    for class in ["success", "denial"] {
        let Some(line) = cache.property(class) else { continue };
        let Some(word) = line.arguments.first() else { continue };
        if word.text.parse::<usize>().is_ok_and(|capacity| capacity > 0 && capacity < CAPACITY) {
            report.hint(word.span, format!("room for {word} answers, where {CAPACITY} are usual")).help(
                "leave the number out: an answer takes about 300 octets, and the daemon bounds them all by -cache-mib",
            );
        }
    }
}

fn no_loop(block: &Block, _: &Name, report: &mut Report) {
    let Some(forward) = block.directive("forward").filter(|_| block.directive("loop").is_none()) else { return };
    if targets(forward).any(|target| target.starts_with('/')) {
        report
            .hint(forward.name.span, "a host whose resolv.conf names this daemon would have it ask itself for ever")
            .help("add `loop`: the daemon then notices at its start");
    }
}

fn udp_to_the_centre(block: &Block, domain: &Name, report: &mut Report) {
    let inside = |zone: &Zone| {
        zone.encloses(&domain.to_string()) && !zone.is_root()
            || domain.encloses(&name(zone))
            || REVERSE.iter().any(|reverse| zone.as_str().ends_with(reverse))
    };
    if !block.keys.iter().any(|key| inside(&key.zone)) {
        return;
    }
    for forward in block.directives("forward").filter(|forward| forward.property("force_tcp").is_none()) {
        // the endpoints of a Service are asked over TCP unless it says otherwise
        let over_udp = |target: &str| match target.as_bytes().first() {
            Some(b'@') => forward.property("prefer_udp").is_some(),
            first => first.is_some_and(u8::is_ascii_hexdigit),
        };
        if targets(forward).any(over_udp) {
            report
                .hint(
                    forward.name.span,
                    "questions to the cluster's DNS go over UDP, each with an entry of connection tracking",
                )
                .help("add `force_tcp`: one connection carries them all, and nothing is lost on the way");
        }
    }
}

/// Whom a `forward` asks, as written.
fn targets(forward: &Statement) -> impl Iterator<Item = &str> {
    forward.arguments.iter().skip(1).map(|word| word.text.as_str())
}

fn name(zone: &Zone) -> Name {
    Name::parse(zone.as_str()).expect("a zone is a valid name")
}

#[cfg(test)]
mod tests {
    use contract::corefile::{self, Memory};

    use super::*;

    fn hints(text: &str) -> String {
        let mut report = Report::new();
        let corefile = corefile::parse("Corefile", text, &Memory::new(), &mut report);
        look(&corefile, &"cluster.local".parse().unwrap(), &mut report);
        assert_eq!((report.errors(), report.warnings()), (0, 0));
        report.to_string()
    }

    #[test]
    fn each_hint_has_its_place_and_what_to_do() {
        for (text, place, word) in [
            (". {\n log\n whoami\n}", "2:2", "line in the log"),
            (". {\n log {\n  class error all\n }\n whoami\n}", "2:2", "line in the log"),
            (
                "a.example cluster.local {\n cache\n forward . 10.0.0.1 {\n force_tcp\n }\n}",
                "1:1",
                "autopath @kubernetes",
            ),
            (". {\n forward . 10.0.0.1\n}", "2:2", "add `cache`"),
            (". {\n cache {\n  success 100\n }\n forward . 10.0.0.1\n}", "3:11", "room for 100"),
            (". {\n cache\n forward . /etc/resolv.conf\n}", "3:2", "add `loop`"),
            ("in-addr.arpa {\n cache\n forward . 10.0.0.1\n}", "3:2", "add `force_tcp`"),
            (
                "cluster.local {\n autopath @kubernetes\n cache\n forward . @kube-system/kube-dns {\n prefer_udp\n }\n}",
                "4:2",
                "`force_tcp`",
            ),
        ] {
            let said = hints(text);
            assert_eq!(said.matches("hint:").count(), 1, "{text}: {said}");
            assert!(said.starts_with(&format!("Corefile:{place}: hint: ")) && said.contains(word), "{said}");
        }
    }

    #[test]
    fn what_is_as_it_should_be_has_none() {
        for text in [
            ". {\n cache\n loop\n forward . /etc/resolv.conf\n}",
            ". {\n log {\n  class error\n }\n whoami\n}",
            "cluster.local {\n autopath @kubernetes\n cache\n forward . @kube-system/kube-dns\n}",
            "cluster.local {\n autopath @kubernetes\n cache {\n success 9984\n denial 0\n }\n forward . 10.0.0.1 {\n force_tcp\n }\n}",
        ] {
            assert_eq!(hints(text), "", "{text}");
        }
    }
}
