//! Where the daemon can be asked about itself: the unix socket in the folder of its state, and the status page.

use std::path::Path;
use std::sync::Arc;

use super::door::{Door, Running};
use super::page::{self, CannotShow, StatusPage};
use super::socket::Socket;
use super::{See, whole};
use crate::admin::{Ports, State};
use crate::daemon::Options;
use crate::serve::entrance::Entrance;

/// All of them, with what stands behind them.
pub struct Doors {
    see: Arc<See>,
    running: Arc<Running>,
    door: Arc<Door>,
    page: Option<StatusPage>,
    socket: Option<Socket>,
}

impl Doors {
    /// The page is open where it is to be shown, and stays so over reloads; the socket comes with [`Doors::serve`]. To be called
    /// inside the runtime.
    ///
    /// # Errors
    /// The page's address cannot be had.
    pub fn open(options: &Options, state: Arc<State>, failsafe: Box<whole::FailsafeOf>) -> Result<Self, CannotShow> {
        let see = Arc::new(See::new(state, failsafe));
        tokio::spawn(Arc::clone(&see).keep());
        let running = Arc::new(Running::new(Arc::clone(&see)));
        let document = options.status_address.map(|_| page::document());
        let door = Arc::new(Door::new(Arc::clone(&running) as _, document));
        let ports = if options.node.is_some() { Ports::Shared } else { Ports::Own };
        let show = |address| StatusPage::open(address, ports, Arc::clone(&door));
        let page = options.status_address.map(show).transpose()?;
        Ok(Self { see, running, door, page, socket: None })
    }

    /// From now on names are explained by these blocks. The socket is opened in `folder`, if it is not: without it names are
    /// answered all the same. To be called inside the runtime.
    pub fn serve(&mut self, entrances: Vec<Entrance>, folder: Option<&Path>) {
        self.see.serving(&entrances);
        self.running.serving(entrances);
        if self.socket.is_none() {
            let opened = folder.map(|folder| Socket::open(folder, Arc::clone(&self.door))).transpose();
            self.socket = opened.unwrap_or_else(|error| {
                tracing::warn!("`nearpath explain` and `top` cannot ask here: {error}");
                None
            });
        }
    }

    /// What can be seen of the daemon.
    pub fn see(&self) -> &Arc<See> {
        &self.see
    }

    /// Closes them, and ends the streams of events.
    pub fn leave(self) {
        self.door.leave();
        drop((self.socket, self.page));
    }
}
