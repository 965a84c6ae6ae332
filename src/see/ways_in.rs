//! The ways in to what the daemon tells of itself, from its start to its end: the unix socket and the status page.

use std::path::Path;
use std::sync::Arc;

use super::See;
use super::door::{Door, Running};
use super::page::{self, CannotShow, StatusPage};
use super::socket::Socket;
use super::whole::FailsafeOf;
use crate::admin::{Ports, State};
use crate::daemon::Options;
use crate::serve::zones::Entrance;

/// Whoever asks comes in here. Both ways close with it.
pub struct WaysIn {
    see: Arc<See>,
    running: Arc<Running>,
    door: Arc<Door>,
    page: Option<StatusPage>,
    socket: Option<Socket>,
}

impl WaysIn {
    /// Opens the page where it is to be shown; it stays open over reloads. To be called inside the runtime.
    ///
    /// # Errors
    /// The page's address cannot be had.
    pub fn open(options: &Options, state: &Arc<State>, failsafe: Box<FailsafeOf>) -> Result<Self, CannotShow> {
        let see = Arc::new(See::new(Arc::clone(state), failsafe));
        tokio::spawn(Arc::clone(&see).keep());
        let running = Arc::new(Running::new(Arc::clone(&see)));
        let door = Arc::new(Door::new(Arc::clone(&running) as _, options.status_address.map(|_| page::document())));
        let ports = if options.node.is_some() { Ports::Shared } else { Ports::Own };
        let show = |address| StatusPage::open(address, ports, Arc::clone(&door));
        let page = options.status_address.map(show).transpose()?;
        Ok(Self { see, running, door, page, socket: None })
    }

    /// From now on names are explained by these, one for each listener.
    pub fn serving(&self, entrances: &[Entrance]) {
        self.see.serving(entrances);
        self.running.serving(entrances.to_vec());
    }

    /// Opens the socket. Without it names are answered all the same. To be called inside the runtime.
    pub fn open_socket(&mut self, folder: &Path) {
        match Socket::open(folder, Arc::clone(&self.door)) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => tracing::warn!("`nearpath explain` and `top` cannot ask here: {error}"),
        }
    }

    /// What can be seen of the daemon.
    pub fn see(&self) -> &Arc<See> {
        &self.see
    }

    /// Ends what is under way, and closes both.
    pub fn close(self) {
        self.door.leave();
        drop((self.socket, self.page));
    }
}
