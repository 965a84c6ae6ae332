//! Metrics as Prometheus reads them: counters by name from everywhere, and the sums of what desks count.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use contract::Plain;
use contract::metrics::{OCTETS, SECONDS, label_text, write_head, write_histogram};
use contract::wire::{Rcode, RecordType};

use crate::assembly::{OUTSIDE, Register};
use crate::listening::Meters;
use crate::serve::tally::{ANSWERERS, PROTOCOLS, RCODES, TYPES, Tally, Totals};
use crate::serve::udp::HIT_SECONDS;
use crate::serve::zones::Shared;

use super::process;

/// Everything, in the text format 0.0.4, in the order of the names.
pub(super) fn text(shared: &Shared, register: &Register, meters: &Meters) -> String {
    sorted(&unsorted(shared, register, meters))
}

/// What a family begins with.
const HEAD: &str = "# HELP ";

/// Families in the order of their names, whoever told them first. Line ends in helps and labels
/// are escaped, so nothing else begins a line as a family does.
fn sorted(text: &str) -> String {
    let mut families: Vec<&str> = text.strip_prefix(HEAD).unwrap_or(text).split(&format!("\n{HEAD}")).collect();
    families.sort_by_key(|family| family.split(' ').next());
    let mut out = String::with_capacity(text.len());
    families.iter().for_each(|family| {
        let _ = writeln!(out, "{HEAD}{}", family.trim_end_matches('\n'));
    });
    out
}

fn unsorted(shared: &Shared, register: &Register, meters: &Meters) -> String {
    let mut out = shared.metrics.text();
    let tallies: Vec<Counted> = register.tallies().into_iter().map(Counted::new).collect();
    process::write(&mut out);
    now(&mut out, shared, meters);
    sockets(&mut out, meters);
    requests(&mut out, &tallies);
    responses(&mut out, &tallies);
    dnssec_ok(&mut out, &tallies);
    seconds(&mut out, &tallies);
    octets(&mut out, &tallies, "coredns_dns_request_size_bytes", "Size of queries, octets.", |totals| {
        &totals.request_octets
    });
    octets(&mut out, &tallies, "coredns_dns_response_size_bytes", "Size of replies, octets.", |totals| {
        &totals.reply_octets
    });
    store(&mut out, &tallies);
    plain(&mut out, &tallies);
    hits(&mut out, meters);
    out
}

struct Counted {
    /// `server="..",zone="..",view=".."`.
    labels: String,
    /// The same as the store's metrics have it, `zones` for `zone`, with the kind of answers between.
    server: String,
    zones: String,
    /// False of queries that enter no block.
    is_block: bool,
    totals: Totals,
}

impl Counted {
    fn new(([server, zone, view], tally): ([String; 3], Arc<Tally>)) -> Self {
        let labels = label_text(&[("server", &server), ("zone", &zone), ("view", &view)]);
        let is_block = zone != OUTSIDE;
        let (server, zones) = (label_text(&[("server", &server)]), label_text(&[("zones", &zone), ("view", &view)]));
        Self { labels, server, zones, is_block, totals: tally.totals() }
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    write_head(out, name, kind, help);
}

/// What stands at this moment.
fn now(out: &mut String, shared: &Shared, meters: &Meters) {
    let scopes = shared.lists.held().len() as u64;
    let rows = [
        (
            "nearpath_misses_outstanding",
            "Clients' questions waiting on the miss path.",
            shared.turnstile.inside() as u64,
        ),
        ("nearpath_flights_outstanding", "Distinct questions under way.", shared.flights.len() as u64),
        ("nearpath_scopes", "Search lists in use: AutoPath's answers are memorised once for each.", scopes),
        ("nearpath_connections_open", "Connections of clients, TCP, TLS and HTTPS.", meters.connections.counts().open),
    ];
    for (name, help, value) in rows {
        family(out, name, "gauge", help);
        let _ = writeln!(out, "{name} {value}");
    }
}

/// What the sockets counted.
fn sockets(out: &mut String, meters: &Meters) {
    let (udp, connections) = (meters.udp.counts(), meters.connections.counts());
    let rows = [
        ("nearpath_udp_received_total", "Datagrams taken from the kernel.", udp.received),
        ("nearpath_udp_sent_total", "Replies given to the kernel.", udp.sent),
        ("nearpath_udp_unsent_total", "Replies that the kernel did not take.", udp.unsent),
        ("nearpath_udp_batches_total", "Calls that took at least one datagram.", udp.batches),
        (
            "nearpath_udp_silent_total",
            "Datagrams that are not answered: responses, and what is no message.",
            udp.silent,
        ),
        ("nearpath_udp_panicked_total", "Datagrams answered SERVFAIL because answering them panicked.", udp.panicked),
        ("nearpath_connections_accepted_total", "Connections of clients.", connections.accepted),
        ("nearpath_connections_refused_total", "Connections for which there was no room.", connections.refused),
        ("nearpath_connections_displaced_total", "Idle connections that made room.", connections.displaced),
        ("nearpath_connections_slow_total", "Connections cut because replies were not read.", connections.slow),
        ("nearpath_connections_failed_total", "Connections and handshakes that failed.", connections.failed),
        (
            "nearpath_connections_panicked_total",
            "Questions answered SERVFAIL because answering panicked.",
            connections.panicked,
        ),
    ];
    for (name, help, value) in rows {
        family(out, name, "counter", help);
        let _ = writeln!(out, "{name} {value}");
    }
}

fn requests(out: &mut String, tallies: &[Counted]) {
    let name = "coredns_dns_requests_total";
    family(out, name, "counter", "Queries by protocol, family and type.");
    for counted in tallies {
        let mut told: BTreeMap<(usize, usize, usize), u64> = BTreeMap::new();
        for (&(transport, family, rtype), count) in &counted.totals.requests {
            // CoreDNS says `tcp` of TLS and HTTPS too; the label `server` tells them apart
            *told.entry((transport.min(1), family, rtype)).or_default() += count;
        }
        for ((protocol, family, rtype), count) in told {
            let (labels, protocol) = (&counted.labels, PROTOCOLS[protocol]);
            let rtype = TYPES.get(rtype).map_or("other".to_owned(), RecordType::to_string);
            let family = 1 + family;
            let _ =
                writeln!(out, "{name}{{{labels},proto=\"{protocol}\",family=\"{family}\",type=\"{rtype}\"}} {count}");
        }
    }
}

fn responses(out: &mut String, tallies: &[Counted]) {
    let name = "coredns_dns_responses_total";
    family(out, name, "counter", "Replies by RCODE and by the plugin that made them.");
    for counted in tallies {
        for (&(rcode, answerer), count) in &counted.totals.answered {
            let (labels, plugin) = (&counted.labels, ANSWERERS[answerer]);
            let rcode = if usize::from(rcode) + 1 < RCODES { Rcode(rcode).to_string() } else { "other".to_owned() };
            let _ = writeln!(out, "{name}{{{labels},rcode=\"{rcode}\",plugin=\"{plugin}\"}} {count}");
        }
    }
}

fn dnssec_ok(out: &mut String, tallies: &[Counted]) {
    let name = "coredns_dns_do_requests_total";
    family(out, name, "counter", "Queries with the DO bit.");
    for Counted { labels, totals, .. } in tallies {
        let _ = writeln!(out, "{name}{{{labels}}} {}", totals.dnssec_ok);
    }
}

fn seconds(out: &mut String, tallies: &[Counted]) {
    let name = "coredns_dns_request_duration_seconds";
    family(out, name, "histogram", "Time from a query's arrival to its reply, seconds; 0 for a reply made at once.");
    for Counted { labels, totals, .. } in tallies {
        let (buckets, sum) = &totals.seconds;
        write_histogram(out, name, labels, SECONDS, buckets.iter().copied(), *sum as f64 / 1e6);
    }
}

/// Counts per bucket and their sum, by protocol.
type Octets = [(Vec<u64>, u64); PROTOCOLS.len()];

fn octets(out: &mut String, tallies: &[Counted], name: &str, help: &str, of: fn(&Totals) -> &Octets) {
    family(out, name, "histogram", help);
    for Counted { labels, totals, .. } in tallies {
        for (protocol, (buckets, sum)) in PROTOCOLS.iter().zip(of(totals)) {
            let labels = format!("{labels},proto=\"{protocol}\"");
            write_histogram(out, name, &labels, OCTETS, buckets.iter().copied(), *sum as f64);
        }
    }
}

/// What AutoPath did not search for, and why.
fn plain(out: &mut String, tallies: &[Counted]) {
    let name = "nearpath_autopath_plain_total";
    family(
        out,
        name,
        "counter",
        "Questions to blocks with autopath that were no first step of a search out of memory, by why.",
    );
    for Counted { labels, totals, .. } in tallies {
        for (reason, count) in Plain::ALL.iter().zip(totals.plain).filter(|(_, count)| *count > 0) {
            let _ = writeln!(out, "{name}{{{labels},reason=\"{}\"}} {count}", reason.label());
        }
    }
}

/// What a hit takes, as measured on some of them.
fn hits(out: &mut String, meters: &Meters) {
    let name = "nearpath_hit_duration_seconds";
    family(out, name, "histogram", "Time from a hit's datagram to its reply, seconds; measured on a few of them.");
    let (counts, nanoseconds) = meters.udp.hits();
    write_histogram(out, name, "", HIT_SECONDS, counts.iter().copied(), nanoseconds as f64 / 1e9);
}

/// Picks one of a block's counts, in the order of [`Totals::store`].
type Pick = fn(&[u64; 4]) -> u64;

/// What the store did, by server block, as CoreDNS's cache names it.
fn store(out: &mut String, tallies: &[Counted]) {
    let mut write = |name: &str, help: &str, kinds: &[(&str, Pick)]| {
        family(out, name, "counter", help);
        for Counted { server, zones, totals, .. } in tallies.iter().filter(|counted| counted.is_block) {
            for (kind, of) in kinds {
                let value = of(&totals.store);
                let _ = writeln!(out, "{name}{{{server},{kind}{zones}}} {value}");
            }
        }
    };
    let looked = "Queries that looked into the store.";
    write("coredns_cache_requests_total", looked, &[("", |counts| counts.iter().sum())]);
    let hits: [(&str, Pick); 2] = [("type=\"success\",", |counts| counts[0]), ("type=\"denial\",", |counts| counts[1])];
    write("coredns_cache_hits_total", "Queries answered from the store.", &hits);
    write("coredns_cache_misses_total", "Queries that the store could not answer.", &[("", |counts| counts[3])]);
    let stale = "Queries answered past an answer's end.";
    write("coredns_cache_served_stale_total", stale, &[("", |counts| counts[2])]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_stand_in_the_order_of_their_names_each_whole() {
        let mut text = String::new();
        for (name, sample) in [("b_total", "b_total{x=\"# HELP\"} 1"), ("a_total", "a_total 2"), ("b", "b 3")] {
            family(&mut text, name, "counter", "Some # HELPful word.");
            let _ = writeln!(text, "{sample}");
        }
        let lines = sorted(&text);
        let samples: Vec<_> = lines.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["a_total 2", "b 3", "b_total{x=\"# HELP\"} 1"]);
        assert_eq!(lines.len(), text.len());
    }
}
