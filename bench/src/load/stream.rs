//! One long TCP connection with many questions outstanding, as a forwarder or a proxy keeps it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::message::{Reply, question};

/// Questions outstanding.
const WINDOW: usize = 100;
/// Names that are asked for in turn.
const NAMES: usize = 2_000;
/// An answer comes within this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks for `seconds` on one connection to 127.0.0.1:`port`; how many answers came. An error if one was wrong or missing, or
/// the server ended the connection.
pub(crate) fn run(port: u16, seconds: f64) -> Result<u64> {
    let questions: Vec<Vec<u8>> = (0..NAMES).map(framed).collect();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut next = questions.iter().cycle();
    stream.write_all(&next.by_ref().take(WINDOW).flatten().copied().collect::<Vec<_>>())?;
    let (mut answers, mut outstanding) = (0, WINDOW);
    let (mut pending, mut buffer) = (Vec::new(), vec![0; 65_536]);
    let begun = Instant::now();
    while outstanding > 0 {
        let length = stream.read(&mut buffer).context("waiting for answers")?;
        if length == 0 {
            bail!("the server ended the connection after {answers} answers");
        }
        pending.extend(&buffer[..length]);
        let came = take_answers(&mut pending)?;
        (answers, outstanding) = (answers + came as u64, outstanding - came);
        if begun.elapsed().as_secs_f64() < seconds {
            let more: Vec<u8> = next.by_ref().take(came).flatten().copied().collect();
            stream.write_all(&more)?;
            outstanding += came;
        }
    }
    Ok(answers)
}

fn framed(number: usize) -> Vec<u8> {
    let id = u16::try_from(number).expect("fewer names than ids");
    let message = question(id, &format!("host{}.example", number + 1));
    let length = u16::try_from(message.len()).expect("a short name");
    [length.to_be_bytes().as_slice(), &message].concat()
}

/// Takes whole answers out of `pending`; how many. An error if one is not NOERROR with records.
fn take_answers(pending: &mut Vec<u8>) -> Result<usize> {
    let (mut taken, mut count) = (0, 0);
    while let Some([high, low]) = pending.get(taken..taken + 2) {
        let end = taken + 2 + usize::from(u16::from_be_bytes([*high, *low]));
        let Some(message) = pending.get(taken + 2..end) else { break };
        let reply = Reply::parse(message).context("no reply")?.expect_noerror()?;
        ensure!(reply.answers > 0, "a wrong answer: no records");
        (taken, count) = (end, count + 1);
    }
    pending.drain(..taken);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A framed reply with one answer.
    fn reply(number: usize, rcode: u8) -> Vec<u8> {
        let mut message = framed(number);
        message[4] |= 0x80;
        message[5] |= rcode;
        message[9] = 1;
        message
    }

    #[test]
    fn whole_answers_are_taken_and_parts_wait() {
        let mut pending = [reply(0, 0), reply(1, 0), reply(2, 0)].concat();
        let rest = pending.split_off(pending.len() - 3);
        assert_eq!(take_answers(&mut pending).unwrap(), 2);
        pending.extend(rest);
        assert_eq!(take_answers(&mut pending).unwrap(), 1);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        assert!(take_answers(&mut reply(0, 2)).is_err());
        assert!(take_answers(&mut framed(0)).is_err(), "a question");
    }
}
