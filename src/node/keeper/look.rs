//! What has gone from the node is seen and put back: at netlink's word, at each sync, and when another instance leaves.

use std::net::IpAddr;

use super::super::detour::Detour;
use super::super::link::Changes;
use super::super::{SetupError, meters};
use super::Node;
use super::rule::path;

impl Node {
    /// The kernel's word on what is ours. Without it everything is looked at once in a while.
    pub(super) fn changes(&self) -> Option<Changes> {
        let [out, back] = Detour::names(&self.plan.name);
        let watched = Changes::watch(&[&self.plan.name, &out, &back], &self.plan.own);
        watched.inspect_err(|error| tracing::warn!("a deleted interface is not noticed at once: {error}")).ok()
    }

    /// Looks whether everything is as it is to be, and makes it so.
    pub(super) async fn look(&mut self) {
        if self.made.is_some() {
            self.look_at_link().await;
        }
        self.look_at_detour().await;
        if self.rules.as_ref().is_some_and(|rules| !rules.settled()) {
            self.find_rules().await;
            return self.put_rules();
        }
        self.look_at_rules();
    }

    /// The detour is made where it is missing: it could not be made, was taken away, or the host did not forward IPv6 then.
    async fn look_at_detour(&mut self) {
        let v6 = self.plan.own.iter().any(IpAddr::is_ipv6);
        let gone = match &self.detour {
            Some(detour) => !detour.holds(&self.handle).await.unwrap_or(true), // what is not told is not mended
            None => false,
        };
        let partial = self.detour.as_ref().is_none_or(|detour| v6 && detour.address6.is_none());
        if !gone && !partial {
            return;
        }
        let before = self.detour.as_ref().map(path);
        self.make_detour().await;
        if gone {
            self.meters.repaired("detour");
        }
        if self.detour.as_ref().map(path) != before {
            self.put_rules();
        }
    }

    pub(super) fn look_at_rules(&mut self) {
        let wanted = self.wanted();
        let Some(rules) = self.rules.as_ref().filter(|_| !wanted.own.is_empty()) else { return };
        match rules.holds(&wanted) {
            Ok(true) if rules.without().is_none() => {
                self.meters.works(SetupError::Iptables);
                self.meters.works(SetupError::IptablesLock);
            }
            Ok(true) => {}
            Ok(false) if self.others > 0 && rules.armed().is_ok_and(|armed| !armed.is_empty()) => {
                if !std::mem::replace(&mut self.yielded, true) {
                    tracing::info!("the rules are those of another instance, and stay so until it leaves");
                }
            }
            Ok(false) => {
                if !self.yielded {
                    self.meters.repaired("rules");
                    tracing::warn!("the rules were not as they are to be, and are put in place again");
                }
                self.put_rules();
            }
            Err(error) => self.meters.trouble(meters::of_rules(&error), &format!("cannot see the rules: {error}")),
        }
    }

    /// Sees whether another instance has come or left: what that one had made its own is to be ours.
    pub(super) async fn look_around(&mut self) {
        let others = self.others();
        let before = std::mem::replace(&mut self.others, others);
        if others < before {
            self.look().await;
            self.yielded &= others > 0;
        } else if others > before {
            self.yielded = true; // who comes later knows better, and makes the rules its own
        }
    }

    pub(super) async fn look_at_link(&mut self) {
        match self.link.holds(&self.handle).await {
            Ok(true) => self.meters.works(SetupError::InterfaceCheck),
            Ok(false) => self.settle_link().await,
            Err(error) => self.meters.trouble(SetupError::InterfaceCheck, &error.to_string()),
        }
    }

    /// Makes the interface as it is to be; what this start has made of it is remembered as it was.
    pub(super) async fn settle_link(&mut self) {
        match self.link.ensure(&self.handle, self.unwanted()).await {
            Ok(made) if made.nothing() => self.meters.works(SetupError::InterfaceCheck),
            Ok(made) => {
                self.meters.repaired("link");
                self.meters.works(SetupError::InterfaceCheck);
                tracing::warn!("the interface was not as it is to be: {made}");
            }
            Err(error) => self.meters.trouble(SetupError::InterfaceCheck, &error.to_string()),
        }
    }
}
