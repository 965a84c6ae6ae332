//! What the API server itself counts of its work for those that list and watch.

use std::ops::Sub;
use std::time::{Duration, Instant};

use nearpath_tests::{ControlPlane, metrics};

/// What anybody of interest lists or watches.
const RESOURCES: &[&str] = &["pods", "endpointslices", "services", "namespaces", "ingresses", "dnsendpoints"];
/// After something was done, so long until the API server has sent what follows from it.
pub(crate) const SETTLE: Duration = Duration::from_secs(3);

/// Figures since it started; a difference of two is what came between.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Requests to get, list or watch that were begun.
    pub(crate) requests: f64,
    /// Watches that are held now.
    pub(crate) watches: f64,
    /// Events sent to all watches: objects of streamed lists, changes, bookmarks.
    pub(crate) events: f64,
    /// Octets of these events, and of lists, as encoded.
    pub(crate) octets: f64,
    /// Those of lists that were not streamed, among them what the API server asks itself.
    pub(crate) listed: f64,
    /// CPU time, seconds.
    pub(crate) cpu: f64,
}

impl Counts {
    /// Those of now.
    pub(crate) fn of(plane: &ControlPlane) -> Self {
        Self::read(&plane.metrics())
    }

    fn read(page: &str) -> Self {
        let of = |name: &str, verb: Option<&str>| -> f64 {
            let verb = verb.map(|verb| ("verb", verb));
            let one = |resource: &&str| {
                let labels: Vec<_> = [Some(("resource", *resource)), verb].into_iter().flatten().collect();
                metrics::sum(page, name, &labels)
            };
            RESOURCES.iter().map(one).sum()
        };
        let watches = of("apiserver_longrunning_requests", Some("WATCH"));
        // a watch is counted as a request once it has ended
        let ended = ["GET", "LIST", "WATCH"].map(|verb| of("apiserver_request_total", Some(verb)));
        let listed = of("apiserver_response_sizes_sum", Some("LIST"));
        Self {
            requests: ended.iter().sum::<f64>() + watches,
            watches,
            events: of("apiserver_watch_events_total", None),
            octets: of("apiserver_watch_events_sizes_sum", None) + listed,
            listed,
            cpu: metrics::sum(page, "process_cpu_seconds_total", &[]),
        }
    }
}

/// Counts while something is done, beside what the API server's own watches take all the time.
#[derive(Debug)]
pub(crate) struct Meter<'p> {
    plane: &'p ControlPlane,
    /// That, of a second in which nothing changes.
    pub(crate) own: Counts,
}

impl<'p> Meter<'p> {
    /// To be made while nobody watches and nothing changes; looks on for so long.
    pub(crate) fn new(plane: &'p ControlPlane, quiet: Duration) -> Self {
        let mut meter = Self { plane, own: Counts::default() };
        std::thread::sleep(SETTLE); // what was made before has been told
        let begun = Instant::now();
        let (counts, ()) = meter.during(|| std::thread::sleep(quiet));
        meter.own = counts.times(1.0 / begun.elapsed().as_secs_f64());
        meter
    }

    /// What was counted while something was done, and until what follows from it was sent.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> (Counts, T) {
        let before = Counts::of(self.plane);
        let done = work();
        std::thread::sleep(SETTLE);
        (Counts::of(self.plane) - before, done)
    }

    /// The same without the API server's own.
    pub(crate) fn less_own<T>(&self, work: impl FnOnce() -> T) -> (Counts, T) {
        let begun = Instant::now();
        let (counts, done) = self.during(work);
        (counts - self.own.times(begun.elapsed().as_secs_f64()), done)
    }
}

impl Counts {
    /// Octets of events, streamed lists among them.
    pub(crate) fn streamed(self) -> f64 {
        self.octets - self.listed
    }

    /// Each figure multiplied.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            requests: self.requests * factor,
            watches: self.watches * factor,
            events: self.events * factor,
            octets: self.octets * factor,
            listed: self.listed * factor,
            cpu: self.cpu * factor,
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            watches: self.watches - other.watches,
            events: self.events - other.events,
            octets: self.octets - other.octets,
            listed: self.listed - other.listed,
            cpu: self.cpu - other.cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_a_request_from_its_beginning_and_writers_do_not_count() {
        let page = "apiserver_request_total{code=\"200\",resource=\"pods\",verb=\"LIST\"} 3\n\
                    apiserver_request_total{code=\"200\",resource=\"pods\",verb=\"WATCH\"} 2\n\
                    apiserver_request_total{code=\"201\",resource=\"pods\",verb=\"POST\"} 50\n\
                    apiserver_request_total{code=\"200\",resource=\"leases\",verb=\"GET\"} 70\n\
                    apiserver_longrunning_requests{resource=\"endpointslices\",verb=\"WATCH\"} 1\n\
                    apiserver_watch_events_total{group=\"\",version=\"v1\",resource=\"pods\"} 9\n\
                    apiserver_watch_events_sizes_sum{group=\"\",version=\"v1\",resource=\"pods\"} 900\n\
                    apiserver_response_sizes_sum{resource=\"services\",verb=\"LIST\"} 40\n\
                    apiserver_response_sizes_sum{resource=\"services\",verb=\"GET\"} 5\n\
                    process_cpu_seconds_total 1.5\n";
        let expected = Counts { requests: 6.0, watches: 1.0, events: 9.0, octets: 940.0, listed: 40.0, cpu: 1.5 };
        assert_eq!((Counts::read(page), expected.streamed()), (expected, 900.0));
        assert_eq!(expected - expected, Counts::default());
    }
}
