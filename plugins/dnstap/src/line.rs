//! The writer's side of an outlet: one connection after the other, and what is under way on it.
//!
//! Whoever works here may be stopped at any `await`: what is begun stands in the fields, and the next one goes on with it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::limits;
use contract::metrics::Counter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::endpoint::Stream;
use crate::frame::{self, Control};
use crate::outlet::Key;

/// A queue's end, and the connection that it is written to.
pub(crate) struct Line {
    key: Key,
    tls: Option<Arc<ClientConfig>>,
    queue: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    /// Frames that were taken from the queue, one after the other.
    batch: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// How much of them is written.
    written: usize,
    stream: Option<Box<dyn Stream>>,
    pause: Duration,
    /// What the log was last told: connected or not, and how many were dropped by then.
    told: Option<(bool, u64)>,
    sent: Arc<Counter>,
    dropped: Arc<Counter>,
}

impl Line {
    pub(crate) fn new(
        key: Key,
        tls: Option<Arc<ClientConfig>>,
        queue: mpsc::Receiver<Vec<u8>>,
        waiting: Arc<AtomicUsize>,
        sent: Arc<Counter>,
        dropped: Arc<Counter>,
    ) -> Self {
        let (batch, ends, pause) = (Vec::new(), Vec::new(), limits::DNSTAP_RETRY_MIN);
        Self { key, tls, queue, waiting, batch, ends, written: 0, stream: None, pause, told: None, sent, dropped }
    }

    /// Connects, and writes what comes; again and again.
    pub(crate) async fn work(&mut self) {
        loop {
            if self.stream.is_none() {
                match self.connect().await {
                    Ok(stream) => self.connected(stream),
                    Err(error) => {
                        self.lost(&error);
                        let pause = self.pause;
                        self.pause = (pause * 2).min(limits::DNSTAP_RETRY_MAX);
                        sleep(pause).await;
                    }
                }
            } else if let Err(error) = self.write().await {
                self.lost(&error);
            }
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let within = limits::DNSTAP_CONNECT_WITHIN;
        let opened = timeout(within, async {
            let mut stream = self.key.endpoint.connect(self.key.buffer, self.tls.as_ref()).await?;
            frame::shake_hands(&mut stream).await?;
            Ok(stream)
        });
        opened.await.unwrap_or_else(|_| Err(late("it does not open the stream", within)))
    }

    /// Writes until the connection is lost.
    async fn write(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().expect("there is a connection");
        if self.batch.is_empty() {
            let mut frames = Vec::new();
            let mut said = [0; 64];
            // a sink says nothing before the end, so that what is read there is the end
            tokio::select! {
                _ = self.queue.recv_many(&mut frames, limits::DNSTAP_BATCH_MAX) => {}
                said = stream.read(&mut said) => match said? {
                    0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the sink")),
                    _ => return Ok(()),
                },
            }
            self.take(frames);
        }
        let stream = self.stream.as_mut().expect("there is a connection");
        while self.written < self.batch.len() {
            let within = limits::DNSTAP_WRITE_WITHIN;
            let wrote = timeout(within, stream.write(&self.batch[self.written..])).await;
            match wrote.unwrap_or_else(|_| Err(late("it does not read", within)))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                octets => self.written += octets,
            }
        }
        let within = limits::DNSTAP_WRITE_WITHIN;
        timeout(within, stream.flush()).await.unwrap_or_else(|_| Err(late("it does not read", within)))?;
        self.settle();
        self.pause = limits::DNSTAP_RETRY_MIN;
        Ok(())
    }

    /// Frames out of the queue are the batch's.
    fn take(&mut self, frames: Vec<Vec<u8>>) {
        for frame in frames {
            self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
            self.batch.extend(frame);
            self.ends.push(self.batch.len());
        }
    }

    /// Counts the frames that are written whole. The others are left: the next connection begins with them.
    fn settle(&mut self) {
        let whole = self.ends.partition_point(|end| *end <= self.written);
        let octets = self.ends[..whole].last().copied().unwrap_or(0);
        self.sent.add(whole as u64);
        self.ends.drain(..whole);
        self.ends.iter_mut().for_each(|end| *end -= octets);
        self.batch.drain(..octets);
        self.written = 0;
    }

    fn connected(&mut self, stream: Box<dyn Stream>) {
        self.stream = Some(stream);
        let dropped = self.dropped.value();
        let to = &self.key.endpoint;
        match self.told {
            Some((true, _)) => {}
            Some((false, before)) if before < dropped => {
                tracing::info!("dnstap: connected to {to}; {} messages were dropped meanwhile", dropped - before);
            }
            _ => tracing::info!("dnstap: connected to {to}"),
        }
        self.told = Some((true, dropped));
    }

    fn lost(&mut self, error: &io::Error) {
        self.stream = None;
        self.settle();
        if !matches!(self.told, Some((false, _))) {
            let (to, most) = (&self.key.endpoint, self.key.queue);
            tracing::warn!("dnstap: {to}: {error}; up to {most} messages wait for it, further ones are dropped");
            self.told = Some((false, self.dropped.value()));
        }
    }
}

impl Drop for Line {
    /// What is left goes as far as the kernel takes it at once, and the sink is told that this is all.
    fn drop(&mut self) {
        let mut frames = Vec::new();
        while let Ok(frame) = self.queue.try_recv() {
            frames.push(frame);
        }
        self.take(frames);
        if let Some(stream) = self.stream.take() {
            let (whole, left) = (self.batch.len(), self.batch.len() - self.written);
            let mut rest = self.batch.split_off(self.written);
            rest.extend(Control::Stop.frame());
            self.written = whole - left + stream.last_word(&rest).min(left);
            self.batch.resize(whole, 0); // they are only counted from now on
            self.settle();
        }
        self.dropped.add(self.ends.len() as u64);
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("to", &self.key.endpoint).field("connected", &self.stream.is_some()).finish()
    }
}

fn late(what: &str, within: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {} s", within.as_secs()))
}
