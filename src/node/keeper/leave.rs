//! The end: everything stays for the others or for the kernel, is torn down, or is taken back because the start has failed.

use std::net::IpAddr;

use anyhow::Context as _;

use super::super::Leaving;
use super::super::detour::Detour;
use super::super::lease;
use super::super::link::{self, Handle, Link};
use super::super::rules::Rules;
use super::{End, Node};

impl Node {
    pub(super) async fn end(self, end: End) {
        match end {
            End::Undo => self.undo().await,
            End::Leave => self.leave().await,
        }
    }

    pub(super) async fn leave(self) {
        let Self { plan, lease, handle, made, .. } = self;
        let last = lease.leave().unwrap_or_else(|error| {
            tracing::warn!("it is not known whether others serve {}: {error}", plan.name);
            false
        });
        match (last, plan.leaving) {
            (false, _) => tracing::info!("others serve {}; interface and rules are theirs now", plan.name),
            (true, Leaving::TearDown) => {
                let done = tear_down(&plan.name, &plan.own, &handle, plan.rules, made.is_some()).await;
                done.left.iter().for_each(|line| tracing::error!("{line}"));
                tracing::info!("removed: {}", done.removed.join(", "));
            }
            (true, Leaving::Stay) => tracing::info!(
                "interface and rules of {} stay, and the kernel stands in as far as the failsafe is armed (`nearpath cleanup` \
                 removes them)",
                plan.name
            ),
        }
    }

    /// Takes back what this start has made, unless others stand on it by now.
    pub(super) async fn undo(self) {
        let Self { lease, handle, made, .. } = self;
        let alone = lease.leave().unwrap_or(false);
        if let Some(made) = made.filter(|_| alone)
            && let Err(error) = made.undo(&handle).await
        {
            tracing::error!("what was made of the interface is left: {error}");
        }
    }
}

/// What a tear-down came to.
#[derive(Default)]
struct TornDown {
    removed: Vec<String>,
    left: Vec<String>,
}

/// Removes rules and interface, as far as they are ours to remove.
async fn tear_down(name: &str, own: &[IpAddr], handle: &Handle, rules: bool, link: bool) -> TornDown {
    let mut done = TornDown::default();
    let mut note = |what: &str, tried: Result<bool, String>| match tried {
        Ok(true) => done.removed.push(format!("{what} of {name}")),
        Ok(false) => {}
        Err(error) => done.left.push(format!("the {what} of {name} is left: {error}")),
    };
    if rules {
        note("rules", Rules::remove_all(name).map_err(|error| error.to_string()));
        note("detour", Detour::remove(handle, name).await.map_err(|error| error.to_string()));
    }
    if link {
        note("interface", Link::new(name, own).remove(handle).await.map_err(|error| error.to_string()));
    }
    done
}

/// Removes everything of a name from this node; what there was.
///
/// # Errors
/// An instance serves it, unless that is to be passed over; or something is left.
pub fn clean_up(name: &str, force: bool) -> anyhow::Result<Vec<String>> {
    if !force && !lease::nobody(name)? {
        anyhow::bail!("an instance serves {name} on this node and would put it all back: stop it first, or say -force");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let handle = link::connect().context("cannot speak to the kernel by netlink")?;
        anyhow::Ok(tear_down(name, &[], &handle, true, true).await)
    })?;
    match done.left.is_empty() {
        true => Ok(done.removed),
        false => Err(anyhow::anyhow!("{}", done.left.join("\n"))),
    }
}
