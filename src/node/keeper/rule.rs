//! The rules as they are to be: found out by what, put in place, armed with the central servers, renewed.

use super::super::detour::Detour;
use super::super::rules::{self, Failsafe, Means, Rules, Wanted};
use super::super::{SetupError, conntrack, meters};
use super::Node;

impl Node {
    /// The sockets are open: puts the rules in place. Those of an earlier instance have been there until now, and what it knew of
    /// the central servers stands until more is known.
    pub(super) async fn rule(&mut self) {
        if self.made.is_some() {
            self.settle_link().await;
        }
        if !self.plan.rules {
            self.pending = None;
            return;
        }
        self.find_rules().await;
        self.put_rules();
        // what was tracked before there were rules would go on hiding them
        match conntrack::forget(&self.plan.own, self.plan.port) {
            Ok(0) => {}
            Ok(count) => tracing::info!("{count} tracked flows of before are forgotten"),
            Err(error) => tracing::debug!(%error, "tracked flows of before are not forgotten"),
        }
    }

    /// Finds out by what rules can be made here.
    pub(super) async fn find_rules(&mut self) {
        let rules = Rules::find(&self.plan.name);
        match rules.armed() {
            Ok(armed) if self.known.before.is_empty() => self.known.before = armed,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "it is not known what the rules of before were"),
        }
        if self.rules.as_ref().is_none_or(|before| before.means() != rules.means()) {
            tell_means(&rules);
        }
        self.rules = Some(rules);
        self.make_detour().await;
    }

    /// The way for the host's own processes. Without it the failsafe holds for pods alone.
    pub(super) async fn make_detour(&mut self) {
        let possible = self.rules.as_ref().is_some_and(|rules| rules.means() == Means::Nft);
        if !possible || self.plan.failsafe.is_none() || !self.plan.host_processes {
            return;
        }
        match Detour::ensure(&self.handle, &self.plan.name, &self.plan.own).await {
            Ok(detour) => {
                self.detour = Some(detour);
                self.meters.works(SetupError::InterfaceAdd);
            }
            Err(error) => {
                self.meters
                    .trouble(SetupError::InterfaceAdd, &format!("no failsafe for the host's own processes: {error}"));
            }
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        let failsafe = |lasts| Failsafe { lasts, central: self.known.servers() };
        Wanted {
            own: self.served.clone(),
            of_services: self.plan.intercepted(),
            port: self.plan.port,
            health_port: self.plan.health_port,
            failsafe: self.plan.failsafe.map(failsafe),
            host: self.detour.as_ref().map(path),
        }
    }

    /// Puts the rules in place, whatever is there.
    pub(super) fn put_rules(&mut self) {
        let wanted = self.wanted();
        let Some(rules) = &mut self.rules else { return };
        let applied = match wanted.own.is_empty() {
            true => rules.remove().map(|_| ()),
            false => rules.apply(&wanted),
        };
        let stands_in = matches!(rules.means(), Means::Nft | Means::Iptables { .. }) && wanted.failsafe.is_some();
        let means = rules.means();
        self.meters.ruled(means, if applied.is_ok() { &wanted.own } else { &[] });
        if let Err(error) = applied {
            self.meters.armed(&[], false);
            return self.meters.trouble(meters::of_rules(&error), &format!("rules are not in place: {error}"));
        }
        match rules.without() {
            Some(without) => self.meters.trouble(SetupError::Iptables, &without.to_string()),
            None => self.meters.works(SetupError::Iptables),
        }
        self.meters.works(SetupError::IptablesLock);
        self.yielded = false;
        self.pending = None;
        self.meters.armed(&self.known.servers(), stands_in && !wanted.own.is_empty());
        if stands_in && let Some(failsafe) = &wanted.failsafe {
            self.meters.renewed();
            self.tell_armed(&wanted, failsafe);
        }
    }

    /// Says whom the kernel sends to, and for which addresses it does not, if that has changed.
    pub(super) fn tell_armed(&mut self, wanted: &Wanted, failsafe: &Failsafe) {
        let list = |items: Vec<String>| items.join(" ");
        let servers = list(failsafe.central.iter().map(ToString::to_string).collect());
        let bare = list(wanted.bare().iter().map(ToString::to_string).collect());
        let told = format!("{servers}; {bare}");
        if std::mem::replace(&mut self.told, told.clone()) == told {
            return;
        }
        if !servers.is_empty() {
            tracing::info!(
                "failsafe: without a daemon the kernel sends questions to {servers} for {} s",
                failsafe.lasts.as_secs()
            );
        }
        if !bare.is_empty() {
            tracing::warn!("no failsafe for {bare} yet: no central server of the family is known (see -failsafe-to)");
        }
    }

    /// Keeps the dead man's switch from going off, whoever of those that live has made the rules.
    pub(super) fn renew(&mut self) {
        let wanted = self.wanted();
        let Some(rules) = self.rules.as_mut() else { return };
        if let Err(error) = rules.renew(&wanted) {
            tracing::debug!(%error, "the set of the failsafe is not renewed");
            if !self.yielded {
                self.put_rules();
            }
        } else if wanted.failsafe.is_some() {
            self.meters.renewed();
        }
    }

    /// Asks the kernel who is behind the addresses that are forwarded to, while nobody else says it.
    pub(super) fn trace(&mut self) {
        let addresses = self.known.addresses();
        let told = !self.known.told.is_empty() || !self.known.endpoints.is_empty();
        if told || addresses.is_empty() || self.plan.failsafe.is_none() || self.rules.is_none() {
            return;
        }
        match conntrack::behind(&addresses) {
            Ok(behind) if behind.translated.is_empty() && behind.plain.is_empty() => {} // what was known stands
            Ok(behind) => self.learn(|known| known.behind = behind),
            Err(error) => tracing::debug!(%error, "the kernel does not say who is behind a Service"),
        }
    }
}

/// The detour as the rules know it.
pub(super) fn path(detour: &Detour) -> rules::Detour {
    let Detour { device, back, address, address6, .. } = detour;
    rules::Detour { device: device.clone(), back: back.clone(), address: *address, address6: *address6 }
}

/// Says by what the rules are made, and what they cannot do by that.
fn tell_means(rules: &Rules) {
    let refusals = || rules.refusals().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match rules.means() {
        Means::Nft => tracing::info!("rules are made by nftables"),
        Means::Iptables { expires: true } => {
            tracing::info!("rules are made by iptables; no failsafe for the host's own processes ({})", refusals());
        }
        Means::Iptables { expires: false } => tracing::warn!(
            "rules are made by iptables; no failsafe for the host's own processes, and it does not end by itself after an \
             uninstall that forgets `nearpath cleanup` ({})",
            refusals()
        ),
        Means::IptablesPlain => {
            tracing::warn!("rules are made by iptables, and this node has no failsafe ({})", refusals())
        }
        Means::Nothing => tracing::error!("no rules and no failsafe on this node ({})", refusals()),
    }
}
