//! A connection of which more was read than was wanted: it is read again first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Passes everything on to `stream`, but for what was read of it before.
pub(in crate::serve) struct Rewound<S> {
    before: Vec<u8>,
    /// Octets of `before` that have been read again.
    taken: usize,
    stream: S,
}

impl<S> Rewound<S> {
    pub(super) fn new(before: Vec<u8>, stream: S) -> Self {
        Self { before, taken: 0, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = &self.before[self.taken..];
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let now = left.len().min(into.remaining());
        into.put_slice(&left[..now]);
        self.taken += now;
        if self.taken == self.before.len() {
            // a connection may live for long
            (self.before, self.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
