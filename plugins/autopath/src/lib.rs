//! The directive `autopath`: walks a pod's search list on the server's side, so that a look-up takes one round.
//!
//! ```text
//!   FileSource, or a watch --replace--> contract::PodIndex (address -> search list, ndots)
//!                                                 |
//!   hit path   question --Scoper::scope-----------+--> Scope::Search(list) | Scope::Shared
//!   miss path  Search   --walk--> candidates --ask--> Finding --judge--> answer | next candidate | SERVFAIL
//!                                     '--lean--> Cuts: a name above it is known not to exist
//!              Shared   --> the next plugin; its answer may contradict a cut
//!   beside     care     --renews proofs in use, looks into contradictions--> Cuts
//! ```
//!
//! Knows search lists and how their names are judged. Does not know where an answer comes from: each candidate enters
//! the server blocks anew. Does not know Kubernetes: whoever watches pods fills a [`contract::PodIndex`].

mod answers;
mod ask;
mod candidates;
mod care;
mod counters;
mod counts;
mod cut;
mod cuts;
mod facts;
mod judge;
mod lean;
mod off;
mod plugin;
mod pods;
mod qualify;
mod resolv_conf;
mod seen;
mod shown;
mod source;
mod spec;
mod table;
mod walk;

pub use cut::CutRules;
#[doc(hidden)] // for tests that break the rules on purpose
pub use judge::{Finding, Judge, Judgement, Sibling, judge};
pub use plugin::Autopath;
pub use source::{BadSource, FileSource, Format};
pub use spec::{AutopathSpec, Lists, check};

/// What a plugin is built with, for tests.
#[cfg(test)]
fn context_for_tests(state_dir: Option<std::path::PathBuf>) -> contract::Context {
    contract::Context {
        clock: std::sync::Arc::new(contract::FakeClock::new()),
        metrics: std::sync::Arc::default(),
        lists: std::sync::Arc::default(),
        server: "dns://d.e.:53".to_owned(),
        state_dir,
        cluster: std::sync::Arc::new(contract::NoCluster),
        shelf: std::sync::Arc::default(),
        labels: Default::default(),
        wiretap: None,
    }
}
