//! The directive `hosts`: addresses and names from a hosts file and from lines in the Corefile.
//!
//! ```text
//!   Corefile --check--> HostsSpec --build--> Hosts { inline: Table, file: HostsFile { ArcSwap<Table> } }
//!                                                                     ^
//!                                  run(): every `reload` look at the file; a changed one replaces the table whole
//! ```
//!
//! Queries read the tables and never wait for a reload. A file that cannot be read leaves the table as it is.

mod answer;
mod file;
mod reverse;
mod spec;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use contract::wire::Name;
use contract::{Boxed, Next, Plugin, Query, Served, What};

pub use spec::{DEFAULT_FILE, Entry, HostsSpec, check};

use file::HostsFile;
use table::Table;

/// The directive's name.
const NAME: &str = "hosts";

/// Answers from the tables.
#[derive(Debug)]
pub(crate) struct Hosts {
    zones: Vec<Name>,
    /// From the Corefile.
    inline: Table,
    file: HostsFile,
    settings: Settings,
}

/// What is said, and what is left to the next plugin.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The records' TTL, seconds.
    ttl: u32,
    /// The time between two looks at the file; `None`: it is read once.
    reload: Option<Duration>,
    /// Zones in which an unknown name goes on.
    fallthrough: Vec<Name>,
    /// Whether there other types than addresses go on too.
    fallthrough_unsupported: bool,
}

impl Plugin for Hosts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        match self.answer(query) {
            Some(reply) => {
                query.tell(|| What::Plugin { name: NAME, text: self.origin(query).into() });
                Box::pin(std::future::ready(Ok(reply)))
            }
            None => {
                query.tell(|| What::Plugin { name: NAME, text: "not listed: handed on".into() });
                next.serve(query)
            }
        }
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async move {
            let Some(every) = self.settings.reload else { return };
            let mut timer = tokio::time::interval(every);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            timer.tick().await; // the first one is at once, and the file has just been read
            loop {
                timer.tick().await;
                let this = Arc::clone(&self);
                // reading a large file takes a while
                let look = tokio::task::spawn_blocking(move || this.file.look(this.inline.records()));
                if let Err(error) = look.await {
                    tracing::error!(%error, "looking at the hosts file failed");
                }
            }
        })
    }
}
