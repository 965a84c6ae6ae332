//! Nearpath itself: the binary beside this program, unless another one is named.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Peer, Setup, Shape, Talents, corefile};
use crate::child::Launch;
use crate::onlook::STATE;
use crate::options::Options;

pub(super) const PEER: Peer = Peer {
    name: "nearpath",
    program: "",
    version: &["--version"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: true,
        keeps_tcp: true,
        serves_tls: true,
        corefile: true,
        autopath: true,
    },
    but: "",
};

/// Octets that the store counts for one A record, and room for the unevenness of its parts.
const OCTETS_PER_NAME: usize = 1_024;

pub(super) fn find(options: &Options) -> Result<PathBuf> {
    let path = match &options.nearpath {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("nearpath"),
    };
    ensure!(path.is_file(), "{} is missing: cargo build --release -p nearpath, or --nearpath PATH", path.display());
    Ok(std::path::absolute(path)?)
}

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    let file = setup.write("Corefile", &corefile::text(setup, &autopath(setup)))?;
    if let Shape::AutoPath { pods, .. } = &setup.shape {
        setup.write("pods", pods)?;
    }
    let mebibytes = (setup.names * OCTETS_PER_NAME).div_ceil(1 << 20).max(32);
    let mut launch = Launch::new(
        program,
        [
            "-conf".into(),
            file.into_os_string(),
            "-threads".into(),
            setup.threads.to_string().into(),
            "-cache-mib".into(),
            mebibytes.to_string().into(),
            "-quiet".into(),
        ],
    );
    if setup.shape == Shape::LookedOn {
        launch.arguments.extend(["-statedir".into(), setup.directory.join(STATE).into_os_string()]);
    }
    Ok(launch)
}

fn autopath(setup: &Setup) -> String {
    let cut = match setup.shape {
        Shape::AutoPath { cut: Some(on), .. } => format!("        nxdomain_cut {}\n", if on { "on" } else { "off" }),
        Shape::Plain | Shape::Stock | Shape::LookedOn | Shape::Ruled | Shape::AutoPath { cut: None, .. } => {
            String::new()
        }
    };
    let pods = setup.directory.join("pods");
    format!("    autopath cluster.local {{\n        pods {}\n{cut}    }}\n", pods.display())
}

/// True if this build of nearpath has AutoPath's property `nxdomain_cut`.
pub(crate) fn knows_the_cut(program: &Path, directory: &Path) -> Result<bool> {
    let file = directory.join("Corefile.cut");
    let text = "cluster.local:1053 {\n    autopath {\n        pods /dev/null\n        nxdomain_cut off\n    }\n    forward . 127.0.0.1:1054\n}\n";
    std::fs::write(&file, text)?;
    let output = Command::new(program).arg("check").arg(&file).output().context("nearpath check")?;
    Ok(output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::tests::setup;

    #[test]
    fn the_cut_is_said_only_when_asked_for() {
        let of = |cut| autopath(&setup(Shape::AutoPath { pods: String::new(), cut }));
        assert!(!of(None).contains("nxdomain_cut"));
        assert!(of(Some(false)).contains("        nxdomain_cut off\n"));
    }
}
