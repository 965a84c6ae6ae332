//! Metrics as Prometheus reads them: counters by name from everywhere, and the sums of what desks count.

use std::fmt::Write as _;
use std::sync::Arc;

use contract::Plain;
use contract::metrics::{OCTETS, SECONDS};
use contract::wire::{Rcode, RecordType};

use crate::assembly::Register;
use crate::listening::Meters;
use crate::serve::tally::{TRANSPORT_LABELS, TYPES, Tally, Totals};
use crate::serve::udp::HIT_SECONDS;
use crate::serve::zones::Shared;

/// Everything, in the text format 0.0.4.
pub(super) fn text(shared: &Shared, register: &Register, meters: &Meters) -> String {
    let mut out = shared.metrics.text();
    let tallies: Vec<Counted> = register.tallies().into_iter().map(Counted::new).collect();
    now(&mut out, shared, meters);
    sockets(&mut out, meters);
    requests(&mut out, &tallies);
    responses(&mut out, &tallies);
    histogram(
        &mut out,
        &tallies,
        &Shape {
            name: "coredns_dns_request_duration_seconds",
            help: "Time from a query's arrival to its reply, seconds.",
            bounds: SECONDS,
            unit: 1e6,
            of: |totals| &totals.seconds,
        },
    );
    histogram(
        &mut out,
        &tallies,
        &Shape {
            name: "coredns_dns_request_size_bytes",
            help: "Size of queries, octets.",
            bounds: OCTETS,
            unit: 1.0,
            of: |totals| &totals.request_octets,
        },
    );
    histogram(
        &mut out,
        &tallies,
        &Shape {
            name: "coredns_dns_response_size_bytes",
            help: "Size of replies, octets.",
            bounds: OCTETS,
            unit: 1.0,
            of: |totals| &totals.reply_octets,
        },
    );
    store(&mut out, &tallies);
    plain(&mut out, &tallies);
    hits(&mut out, meters);
    out
}

struct Counted {
    /// `server="..",zone="..",view=""`.
    labels: String,
    server: String,
    zone: String,
    totals: Totals,
}

impl Counted {
    fn new((server, zone, tally): (String, String, Arc<Tally>)) -> Self {
        let labels = format!("server=\"{server}\",zone=\"{zone}\",view=\"\"");
        Self { labels, server, zone, totals: tally.totals() }
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
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
    family(out, name, "counter", "Queries by transport, family and type.");
    for counted in tallies {
        for (&(transport, family, rtype), count) in &counted.totals.requests {
            let labels = &counted.labels;
            let transport = TRANSPORT_LABELS[transport];
            let rtype = TYPES.get(rtype).map_or("other".to_owned(), RecordType::to_string);
            let family = 1 + family;
            let _ =
                writeln!(out, "{name}{{{labels},proto=\"{transport}\",family=\"{family}\",type=\"{rtype}\"}} {count}");
        }
    }
}

fn responses(out: &mut String, tallies: &[Counted]) {
    let name = "coredns_dns_responses_total";
    family(out, name, "counter", "Replies by RCODE.");
    for counted in tallies {
        for (&rcode, count) in &counted.totals.rcodes {
            let _ = writeln!(out, "{name}{{{},rcode=\"{}\",plugin=\"\"}} {count}", counted.labels, Rcode(rcode));
        }
    }
}

struct Shape {
    name: &'static str,
    help: &'static str,
    bounds: &'static [f64],
    /// How many of the counted units are one of the metric's.
    unit: f64,
    of: fn(&Totals) -> &(Vec<u64>, u64),
}

fn histogram(out: &mut String, tallies: &[Counted], shape: &Shape) {
    let name = shape.name;
    family(out, name, "histogram", shape.help);
    for counted in tallies {
        let (buckets, sum) = (shape.of)(&counted.totals);
        let labels = &counted.labels;
        let mut total = 0;
        for (index, bucket) in buckets.iter().enumerate() {
            total += bucket;
            let bound = shape.bounds.get(index).map_or("+Inf".to_owned(), f64::to_string);
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {total}", *sum as f64 / shape.unit);
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
    let mut total = 0;
    for (index, count) in counts.iter().enumerate() {
        total += count;
        let bound = HIT_SECONDS.get(index).map_or("+Inf".to_owned(), f64::to_string);
        let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {total}");
    }
    let _ = writeln!(out, "{name}_sum {}\n{name}_count {total}", nanoseconds as f64 / 1e9);
}

/// Picks one of a block's counts, in the order of [`Totals::store`].
type Pick = fn(&[u64; 4]) -> u64;

/// What the store did, by server block, as CoreDNS's cache names it.
fn store(out: &mut String, tallies: &[Counted]) {
    let mut write = |name: &str, help: &str, kinds: &[(&str, Pick)]| {
        family(out, name, "counter", help);
        for Counted { server, zone, totals, .. } in tallies {
            for (kind, of) in kinds {
                let value = of(&totals.store);
                let _ = writeln!(out, "{name}{{server=\"{server}\",{kind}zones=\"{zone}\",view=\"\"}} {value}");
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
