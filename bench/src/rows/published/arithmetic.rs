//! From the measured figures to those of clusters with many nodes, in words.

use super::{ENDPOINTS, INGRESSES, KB, MB, MS, ONE_NAMESPACE, SERVICES};
use crate::cluster::{CHANGED, Published};
use crate::record::Record;
use crate::spread::grouped;

/// Nodes that the arithmetic is for.
const NODES: [f64; 3] = [100.0, 1_000.0, 10_000.0];
/// Objects that change in a minute there, of all.
const CHURN: f64 = 0.01;
/// The first requests of all nodes after an outage are spread over this, seconds.
const SPREAD: f64 = 5.0;
/// All is listed again after 6 to 12 hours: on average so many seconds.
const RELIST: f64 = 9.0 * 3_600.0;
/// Octets.
const GB: f64 = 1e9;

/// What of a measured line goes into the arithmetic: octets, seconds.
#[derive(Clone, Copy, Debug)]
struct Line {
    objects: f64,
    names: f64,
    requests: f64,
    start: f64,
    start_cpu: f64,
    events: f64,
    churn: f64,
    more: f64,
}

impl Line {
    fn of(record: &Record, (server, published): (&str, Published)) -> Option<Self> {
        let of = |column| record.spread(server, column).map(|spread| spread.median);
        Some(Self {
            objects: published.objects() as f64, // bookmarks are none
            names: of("names")?,
            requests: of("requests")?.round(), // a part of one is the API server's own
            start: of("start")? * KB,
            start_cpu: of("start_cpu")? / MS,
            events: of("events")?,
            churn: of("churn")? * KB,
            more: of("more")? * MB,
        })
    }
}

/// The sentences, of what was measured.
pub(super) fn notes(record: &Record) -> Vec<String> {
    let lines = [ONE_NAMESPACE, ENDPOINTS, SERVICES, INGRESSES].map(|line| Line::of(record, line));
    match lines {
        [Some(one), Some(endpoints), Some(services), Some(ingresses)] => {
            let mut notes = vec![each(&one, &endpoints, &services, &ingresses)];
            let all = [("DNSEndpoints alone", vec![endpoints]), ("with Services", vec![endpoints, services])];
            let all = all.into_iter().chain([("with Services and Ingresses", vec![endpoints, services, ingresses])]);
            notes.extend(all.map(|(what, lines)| nodes(what, &lines)));
            notes
        }
        _ => Vec::new(),
    }
}

/// For each object and name.
fn each(one: &Line, endpoints: &Line, services: &Line, ingresses: &Line) -> String {
    let listed = |line: &Line, less: Option<&Line>| {
        let (start, objects) = less.map_or((0.0, 0.0), |less| (less.start, less.objects));
        (line.start - start) / (line.objects - objects) / KB
    };
    let changed =
        |line: &Line, less: Option<&Line>| (line.churn - less.map_or(0.0, |less| less.churn)) / CHANGED as f64 / KB;
    let octets = (endpoints.more - one.more) / (endpoints.names - one.names);
    format!(
        "Of each DNSEndpoint {:.1} KB are sent when all are listed, and {:.1} KB for a change (two events); of a Service {:.1} and \
         {:.1} KB, of an Ingress {:.1} and {:.1} KB. Resident octets for a name: {} (all DNSEndpoints beside those of one \
         namespace).",
        listed(endpoints, None),
        changed(endpoints, None),
        listed(services, Some(endpoints)),
        changed(services, Some(endpoints)),
        listed(ingresses, Some(services)),
        changed(ingresses, Some(services)),
        grouped(octets, 0),
    )
}

/// For clusters of this and of many more nodes. Each line has one kind more than the one before it.
fn nodes(what: &str, lines: &[Line]) -> String {
    let (mut events, mut churn, mut less): (f64, f64, Option<&Line>) = (0.0, 0.0, None);
    for line in lines {
        let own = |of: fn(&Line) -> f64| of(line) - less.map_or(0.0, of);
        // a churn changed CHANGED objects of each kind
        let changes = own(|line| line.objects) * CHURN / 60.0;
        events += changes * own(|line| line.events) / CHANGED as f64;
        churn += changes * own(|line| line.churn) / CHANGED as f64;
        less = Some(line);
    }
    let Some(whole) = less else { return String::new() };
    let of = |nodes: f64| {
        format!(
            "{} nodes: {} events/s, {} MB/s; a list of all at once {} requests/s, {} GB, {} s of CPU; each 6 to 12 h again, {} MB/s",
            grouped(nodes, 0),
            grouped(events * nodes, 0),
            grouped(churn * nodes / MB, 2),
            grouped(whole.requests * nodes / SPREAD, 0),
            grouped(whole.start * nodes / GB, 1),
            grouped(whole.start_cpu * nodes, 0),
            grouped(whole.start * nodes / RELIST / MB, 2),
        )
    };
    format!(
        "By arithmetic, {what} ({} objects), where 1 % of them changes each minute, all API servers together. {}.",
        grouped(whole.objects, 0),
        NODES.map(of).join(". "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINTS: Line = Line {
        objects: 2_000.0,
        names: 2_000.0,
        requests: 1.0,
        start: 3e6,
        start_cpu: 0.05,
        events: 1_000.0,
        churn: 1.5e6,
        more: 7e6,
    };
    const SERVICES: Line = Line {
        objects: 7_000.0,
        names: 2_500.0,
        requests: 2.0,
        start: 10.5e6,
        start_cpu: 0.2,
        events: 1_500.0,
        churn: 2.25e6,
        more: 9e6,
    };

    #[test]
    fn kinds_change_by_their_number_and_not_by_that_of_the_churn() {
        // 2,000 and 5,000 objects: 1/3 and 5/6 changes a second, of two events and one, 3 and 1.5 KB
        let said = nodes("with Services", &[ENDPOINTS, SERVICES]);
        assert!(said.contains("1,000 nodes: 1,500 events/s, 2.25 MB/s"), "{said}");
        assert!(said.contains("10,000 nodes: 15,000 events/s, 22.50 MB/s"), "{said}");
        assert!(said.contains("4,000 requests/s, 105.0 GB, 2,000 s of CPU"), "{said}");
        assert!(said.contains("again, 3.24 MB/s"), "{said}");
    }

    #[test]
    fn an_object_costs_what_its_kind_adds() {
        let one = Line { objects: 50.0, names: 50.0, start: 75e3, more: 6.61e6, ..ENDPOINTS };
        let more = Line { objects: 7_500.0, start: 11.25e6, churn: 3e6, ..SERVICES };
        let said = each(&one, &ENDPOINTS, &SERVICES, &more);
        assert!(said.contains("1.5 KB are sent when all are listed, and 3.0 KB for a change"), "{said}");
        assert!(said.contains("of a Service 1.5 and 1.5 KB, of an Ingress 1.5 and 1.5 KB"), "{said}");
        assert!(said.contains("octets for a name: 200 "), "{said}");
    }
}
