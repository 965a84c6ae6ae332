//! What is known before anything is checked: the daemon, what it was told, what it says of itself.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use contract::corefile::{Disk, Report, Scheme};
use serde::de::DeserializeOwned;

use super::super::daemon::STATE_DIR;
use super::process::{self, Process};
use super::upstreams::{self, Upstream};
use super::{DoctorFlags, http};
use crate::assembly;
use crate::daemon::Options;
use crate::plan::{self, Checked};
use crate::see::api::Overview;
use crate::source::{Flawed, Source, Text};

/// All that the checks look at.
pub(super) struct Patient {
    pub(super) flags: DoctorFlags,
    /// The daemon that is looked at, if one serves in this network.
    pub(super) process: Option<Process>,
    /// All that serve here, it among them.
    pub(super) pids: Vec<u32>,
    /// Those among whom no flag tells which one is meant, it among them; empty if it is clear.
    pub(super) unclear: Vec<u32>,
    /// What it was told; `None` if there is no daemon and no flag.
    pub(super) options: Option<Options>,
    /// The Corefile, or why it cannot be read.
    pub(super) text: Result<Text, String>,
    /// What came of checking it.
    pub(super) checked: Option<Checked>,
    /// Whom it asks.
    pub(super) upstreams: Vec<Upstream>,
    /// Names of the API server's objects stand in the Corefile.
    pub(super) needs_api: bool,
    /// Where it answers plain DNS, as the Corefile and the flags say.
    pub(super) endpoints: Vec<SocketAddr>,
    /// The addresses of this host.
    pub(super) on_host: Vec<(String, IpAddr)>,
    /// The daemon's unix socket, or why it has none.
    socket: Result<PathBuf, String>,
    /// What the daemon says of itself, or why it does not.
    pub(super) overview: Result<Overview, String>,
}

impl Patient {
    /// Finds out. Nothing is asked but the daemon's own socket.
    pub(super) async fn examine(flags: &DoctorFlags) -> Self {
        let daemons = process::daemons();
        let pids = daemons.iter().map(|daemon| daemon.pid).collect();
        let (process, unclear) = chosen(daemons, flags);
        let mut options = told(process.as_ref(), flags);
        if let (Some(process), Some(options)) = (&process, &mut options) {
            see_from_here(process, options);
        }
        let nothing = || Err("no daemon serves in this network, and no -conf is given".to_owned());
        let text = options.as_ref().map_or_else(nothing, read);
        let port = options.as_ref().map_or(53, |options| options.dns_port);
        let checked = text.as_ref().ok().map(|text| plan::check(&text.name, &text.text, &Disk, port));
        let tree =
            text.as_ref().ok().map(|text| contract::corefile::parse(&text.name, &text.text, &Disk, &mut Report::new()));
        let endpoints = endpoints(checked.as_ref(), options.as_ref(), port);
        let socket = socket(flags, process.as_ref(), options.as_ref());
        let overview = match &socket {
            Ok(socket) => http::told(socket, "/v1/overview").await,
            Err(why) => Err(why.clone()),
        };
        Self {
            flags: flags.clone(),
            process,
            pids,
            unclear,
            socket,
            text,
            upstreams: tree.as_ref().map(upstreams::of).unwrap_or_default(),
            needs_api: tree.as_ref().is_some_and(upstreams::needs_api),
            checked,
            endpoints,
            on_host: on_host(),
            overview,
            options,
        }
    }

    /// The addresses that pods ask on this node; none on a plain server.
    pub(super) fn own(&self) -> &[IpAddr] {
        self.options.as_ref().and_then(|options| options.node.as_ref()).map_or(&[], |node| &node.own)
    }

    /// Those who are asked and are not ourselves.
    pub(super) fn others(&self) -> impl Iterator<Item = &Upstream> {
        self.upstreams.iter().filter(|upstream| !self.is_us(upstream.address))
    }

    /// True if a question sent there comes to where the daemon serves, or is to serve.
    pub(super) fn is_us(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        let serves = |at: &SocketAddr| at.port() == port && (at.ip() == ip || at.ip().is_unspecified());
        self.endpoints.iter().any(serves) && (self.is_here(ip) || self.own().contains(&ip))
    }

    /// True if an interface has it.
    pub(super) fn is_here(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.on_host.iter().any(|(_, known)| *known == ip)
    }

    /// Where the daemon can be asked: what is on no interface cannot, and a wildcard is asked by loopback.
    pub(super) fn doors(&self) -> Vec<SocketAddr> {
        let mut doors: Vec<SocketAddr> =
            self.endpoints.iter().map(|at| SocketAddr::new(concrete(at.ip()), at.port())).collect();
        doors.retain(|at| self.is_here(at.ip()));
        doors.sort();
        doors.dedup();
        doors
    }

    /// What the daemon tells at a path of its socket.
    pub(super) async fn told<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        http::told(self.socket.as_ref().map_err(String::clone)?, path).await
    }

    /// The folder of the daemon in /proc.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.process.as_ref().map(|process| PathBuf::from(format!("/proc/{}", process.pid)))
    }
}

/// Loopback in place of a wildcard.
pub(super) fn concrete(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The daemon that is meant: the one with the number, else the one whose state folder was named, else the first; with the numbers of
/// those among whom that was a guess.
fn chosen(mut daemons: Vec<Process>, flags: &DoctorFlags) -> (Option<Process>, Vec<u32>) {
    if let Some(pid) = flags.pid {
        return (daemons.into_iter().find(|daemon| daemon.pid == pid), Vec::new());
    }
    let folder = flags.daemon.statedir.as_path();
    let is_meant = |daemon: &Process| daemon.keeps_state_in(folder);
    if folder != Path::new(STATE_DIR) && daemons.iter().any(is_meant) {
        daemons.retain(is_meant);
    }
    let pids = daemons.iter().map(|daemon| daemon.pid).collect();
    let unclear = if daemons.len() > 1 { pids } else { Vec::new() };
    (daemons.into_iter().next(), unclear)
}

/// What the daemon was told, the doctor's own flags on top.
fn told(process: Option<&Process>, flags: &DoctorFlags) -> Option<Options> {
    let mut more: Vec<OsString> = Vec::new();
    let mut add = |name: &str, value: Option<OsString>| {
        more.extend(value.map(|value| {
            let mut word = OsString::from(format!("--{name}="));
            word.push(value);
            word
        }));
    };
    add("conf", flags.conf.clone().map(OsString::from));
    add("localip", flags.localip.clone().map(OsString::from));
    add("interfacename", flags.interfacename.clone().map(OsString::from));
    add("dns.port", flags.port.map(|port| port.to_string().into()));
    let of_daemon = process.and_then(|process| process.told(&more));
    let by_hand = || {
        let words: Vec<OsString> = std::iter::once("nearpath".into()).chain(more.iter().cloned()).collect();
        let told = super::super::flags_of(&words, &|name| std::env::var_os(name))?;
        let is_told = told.conf.is_some() || told.node.localip.is_some() || told.node.basecorefile.is_some();
        is_told.then_some(told)
    };
    of_daemon.or_else(by_hand).map(|told| Options::from_flags(&told))
}

/// The daemon's paths as they are seen from here.
fn see_from_here(process: &Process, options: &mut Options) {
    let see = |path: &mut PathBuf| *path = process.path(path);
    match &mut options.source {
        Source::File(path) => see(path),
        Source::Base(base) => {
            see(&mut base.path);
            base.config_map.iter_mut().for_each(see);
        }
    }
    options.state_dir.iter_mut().for_each(see);
}

fn read(options: &Options) -> Result<Text, String> {
    options.source.read(Flawed::PassOver).map_err(|error| format!("{error:#}"))
}

/// Where plain DNS is answered. Where the Corefile does not tell, the flags do.
fn endpoints(checked: Option<&Checked>, options: Option<&Options>, port: u16) -> Vec<SocketAddr> {
    let blocks = checked.and_then(|checked| checked.plan.as_ref()).map_or(&[][..], |plan| &plan.blocks);
    let mut endpoints: Vec<SocketAddr> = blocks
        .iter()
        .filter_map(|block| assembly::endpoints(block, port).ok())
        .flatten()
        .filter(|at| at.scheme == Scheme::Dns)
        .map(|at| at.address)
        .collect();
    let node = options.and_then(|options| options.node.as_ref());
    endpoints.extend(node.into_iter().flat_map(|node| node.own.iter().map(|ip| SocketAddr::new(*ip, node.port))));
    endpoints.sort();
    endpoints.dedup();
    endpoints
}

/// Where the daemon's socket is. That of another folder is another daemon's: it is looked for where we were told only if no process
/// is seen.
fn socket(flags: &DoctorFlags, process: Option<&Process>, options: Option<&Options>) -> Result<PathBuf, String> {
    let said = flags.daemon.socket();
    let of_daemon =
        options.and_then(|options| options.state_dir.as_ref()).map(|folder| folder.join(crate::see::SOCKET));
    match (of_daemon, process) {
        (Some(of_daemon), Some(_)) => Ok(of_daemon),
        (None, Some(process)) => {
            Err(format!("the daemon, process {}, has no -statedir, and so no socket", process.pid))
        }
        (Some(of_daemon), None) if !said.exists() => Ok(of_daemon),
        (_, None) => Ok(said),
    }
}

/// Every address of an interface, with the interface's name.
fn on_host() -> Vec<(String, IpAddr)> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let address = |one: nix::ifaddrs::InterfaceAddress| {
        let address = one.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        let ip = v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))?;
        Some((one.interface_name, ip))
    };
    all.filter_map(address).collect()
}

#[cfg(test)]
mod tests;
