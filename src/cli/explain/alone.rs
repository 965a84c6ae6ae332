//! Explains without a daemon: the server blocks of a Corefile, asked once, with nothing in memory.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::daemon::{self, Options};
use crate::see::api::Explained;
use crate::see::door::Wish;
use crate::see::explain;

/// How long what is left of the questions may take to end.
const END_WITHIN: Duration = Duration::from_millis(200);

/// What a daemon would do that had just been started with this Corefile. Its upstreams are asked; no socket is opened.
///
/// # Errors
/// What is wrong with the file, or nobody is known of whom it is asked.
pub(super) fn explained(conf: &Path, wish: &Wish) -> anyhow::Result<Explained> {
    let name = conf.display().to_string();
    let text = std::fs::read_to_string(conf).with_context(|| name.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let told = {
        let _inside = runtime.enter();
        let entrance = daemon::without_sockets_of(&name, &text, &Options::default(), runtime.handle())?;
        runtime.block_on(explain::explained(&[entrance], wish))
    };
    runtime.shutdown_timeout(END_WITHIN);
    told.map_err(|refused| anyhow::anyhow!("{refused}"))
}
