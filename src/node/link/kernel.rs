//! What is asked of the kernel, and what it says, in few words: rtnetlink without its messages.

mod address;
mod device;

use std::future::Future;
use std::io;

use contract::limits::NETLINK_WITHIN;
use futures_util::{Stream, TryStreamExt as _};
use nix::errno::Errno;
use rtnetlink::packet_route::link::{AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute};
use rtnetlink::{Error, LinkMessageBuilder, LinkUnspec};

pub use rtnetlink::Handle;

pub(in crate::node) use address::{Assigned, Manner, addresses, assign, give_back, unassign};
pub(in crate::node) use device::{Device, devices};

use super::error::LinkError;

/// Opens netlink in the network namespace of this thread; what reads it ends with the last handle. To be called inside a runtime.
///
/// # Errors
/// What the kernel says to the socket.
pub fn connect() -> io::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

/// Waits for the kernel's word; `what` was tried.
pub(in crate::node) async fn told<T>(what: &str, word: impl Future<Output = Result<T, Error>>) -> Result<T, LinkError> {
    let what = || what.to_owned();
    match tokio::time::timeout(NETLINK_WITHIN, word).await {
        Err(_) => Err(LinkError::Silent { what: what() }),
        Ok(Ok(word)) => Ok(word),
        Ok(Err(Error::NetlinkError(error))) => match Errno::from_raw(error.raw_code().saturating_neg()) {
            Errno::EPERM => Err(LinkError::NotPermitted { what: what() }),
            why => Err(LinkError::Refused { what: what(), why }),
        },
        Ok(Err(_)) => Err(LinkError::Closed { what: what() }),
    }
}

/// Waits for a whole dump. A kernel without the family has nothing to tell.
pub(in crate::node) async fn all<T>(
    what: &str,
    dump: impl Stream<Item = Result<T, Error>>,
) -> Result<Vec<T>, LinkError> {
    told(what, dump.try_collect()).await
}

/// Changes an interface.
pub(in crate::node) async fn change(
    handle: &Handle,
    device: &Device,
    what: &str,
    message: LinkMessageBuilder<LinkUnspec>,
) -> Result<(), LinkError> {
    let request = handle.link().set(message.index(device.index).build());
    told(&format!("{what} {}", device.name), request.execute()).await
}

/// Says in the kernel who made an interface, and keeps the kernel from giving it an IPv6 address of its own making, which it does
/// once it is up. Neither is needed, so a kernel that cannot do it is not in the way.
pub(in crate::node) async fn introduce(handle: &Handle, device: &Device, alias: &str) {
    let message = LinkMessageBuilder::<LinkUnspec>::new;
    let mode = vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)])];
    let steps = [message().alias(alias), message().append_extra_attribute(LinkAttribute::AfSpecUnspec(mode))];
    for step in steps {
        if let Err(error) = change(handle, device, "prepare", step).await {
            tracing::debug!("{error}");
        }
    }
}

/// Removes an interface; that it has gone meanwhile is no error.
pub(in crate::node) async fn remove(handle: &Handle, device: &Device) -> Result<(), LinkError> {
    let what = format!("remove the interface {}", device.name);
    gone(told(&what, handle.link().del(device.index).execute()).await)
}

/// That something has gone already is no error where it is to go.
pub(in crate::node) fn gone(result: Result<(), LinkError>) -> Result<(), LinkError> {
    match result {
        Err(error)
            if matches!(error.number(), Some(Errno::ENODEV | Errno::EADDRNOTAVAIL | Errno::ESRCH | Errno::ENOENT)) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// That something is there already is no error where it is to be.
pub(in crate::node) fn there(result: Result<(), LinkError>) -> Result<(), LinkError> {
    match result {
        Err(error) if error.number() == Some(Errno::EEXIST) => Ok(()),
        other => other,
    }
}
