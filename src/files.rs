//! The files of a daemon: the Corefile is read and checked, the process id and the state folder are written.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::corefile::Disk;
use contract::metrics::Metrics;

use crate::node::SetupError;
use crate::plan::{self, Checked};
use crate::source::{Flawed, Source, Text};

/// Makes the folder for what is known after a restart, and sees whether it can be written to.
pub(crate) fn make_state_dir(folder: &Path) -> anyhow::Result<()> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let tried = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, []))
        .and_then(|()| std::fs::remove_file(&probe));
    tried.with_context(|| {
        format!("cannot keep anything in {}; mount a folder there, or leave -statedir out", folder.display())
    })
}

/// Reads the Corefile, renders it if it is a base, and checks it.
pub(crate) fn read(source: &Source, flawed: Flawed, dns_port: u16) -> anyhow::Result<(Text, Checked)> {
    let text = source.read(flawed)?;
    let checked = plan::check(&text.name, &text.text, &Disk, dns_port);
    Ok((text, checked))
}

/// The same at a start: where a ConfigMap makes a base Corefile unservable it is served without the map.
pub(crate) fn read_first(source: &Source, dns_port: u16) -> anyhow::Result<(Text, Checked)> {
    let (text, checked) = read(source, Flawed::PassOver, dns_port)?;
    let Some(alone) = source.without_config_map().filter(|_| checked.plan.is_none()) else {
        return Ok((text, checked));
    };
    let (mut without, served) = read(&alone, Flawed::PassOver, dns_port)?;
    if served.plan.is_none() {
        return Ok((text, checked)); // the base itself is not as it should be
    }
    let report = checked.report;
    without.warnings.push(format!("with the ConfigMap it cannot be served, so it is served without it\n{report}"));
    without.without_config_map = true;
    Ok((without, served))
}

/// Says what was not as it should be in a text that is served, and leaves it where others look for it.
pub(crate) fn keep(source: &Source, text: &Text, metrics: &Metrics) {
    if text.without_config_map {
        SetupError::Configmap.counter(metrics).increment();
    }
    text.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    source.keep(text);
}

/// The file that holds the process id, as long as the daemon lives.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    pub(crate) fn write(path: &Path) -> anyhow::Result<Self> {
        let id = format!("{}\n", std::process::id());
        std::fs::write(path, id).with_context(|| format!("cannot write the process id to {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // one that is gone already is as good
    }
}
