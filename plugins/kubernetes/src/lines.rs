//! A watch's body as lines, one event each, bounded.

use contract::limits::API_LINE_MAX;
use http_body_util::BodyExt as _;
use kube::client::Body;

use crate::trouble::Trouble;

/// The lines of a body as they arrive.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// What was given out of the buffer.
    taken: usize,
    /// Up to here there is no end of a line.
    searched: usize,
}

impl Lines {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, buffer: Vec::new(), taken: 0, searched: 0 }
    }

    /// The next line without its end; `None` once the body has ended. Half a line at the end is no line. May be dropped and
    /// called again: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<&[u8]>, Trouble> {
        loop {
            if let Some(length) = self.buffer[self.searched..].iter().position(|&octet| octet == b'\n') {
                let (from, to) = (self.taken, self.searched + length);
                self.taken = to + 1;
                self.searched = self.taken;
                return Ok(Some(&self.buffer[from..to]));
            }
            self.make_room();
            if self.buffer.len() > API_LINE_MAX {
                return Err(Trouble::Nonsense(format!("a line of more than {API_LINE_MAX} octets")));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(Trouble::Unreachable(format!("the connection broke: {error}"))),
                Some(Ok(frame)) => self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            }
        }
    }

    /// Moves what is left to the front.
    fn make_room(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.searched = self.buffer.len();
        if self.buffer.is_empty() {
            self.buffer.shrink_to(4_096);
        }
    }
}

/// A whole body, bounded.
pub(crate) async fn whole(mut body: Body, limit: usize) -> Result<Vec<u8>, Trouble> {
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Trouble::Unreachable(format!("the connection broke: {error}")))?;
        octets.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        if octets.len() > limit {
            return Err(Trouble::Nonsense(format!("a reply of more than {limit} octets")));
        }
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &str) -> Vec<String> {
        let mut lines = Lines::new(Body::from(text.as_bytes().to_vec()));
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(String::from_utf8(line.to_vec()).unwrap());
        }
        all
    }

    #[tokio::test]
    async fn lines_come_one_by_one_and_half_a_line_is_none() {
        assert_eq!(all("").await, Vec::<String>::new());
        assert_eq!(all("one\n\nthree\nhal").await, ["one", "", "three"]);
        let long = "x".repeat(API_LINE_MAX + 1);
        let mut lines = Lines::new(Body::from(long.into_bytes()));
        assert!(matches!(lines.next().await, Err(Trouble::Nonsense(_))));
        let body = || Body::from(vec![b'x'; 11]);
        assert!(whole(body(), 11).await.is_ok());
        assert!(matches!(whole(body(), 10).await, Err(Trouble::Nonsense(_))));
    }
}
