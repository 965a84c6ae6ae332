//! Frame Streams, as far as a writer to a socket needs them: the control frames around the data frames.
//!
//! ```text
//!   us    READY(type)               START(type)  frame  frame  ...  STOP
//!   sink               ACCEPT(type)                                       FINISH
//! ```
//!
//! A control frame is an escape (a length of zero), its own length, its type, and fields (type, length, octets); all numbers have
//! 32 bits in network order.

use std::io;

use contract::limits::DNSTAP_CONTROL_MAX;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What our data frames hold.
const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";
/// The field that says so.
const FIELD_CONTENT_TYPE: u32 = 1;

/// The control frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Control {
    Accept = 1,
    Start = 2,
    Stop = 3,
    Ready = 4,
}

impl Control {
    /// In wire form. Those that open a stream say what it holds.
    pub(crate) fn frame(self) -> Vec<u8> {
        let mut body = (self as u32).to_be_bytes().to_vec();
        if matches!(self, Self::Accept | Self::Start | Self::Ready) {
            body.extend(FIELD_CONTENT_TYPE.to_be_bytes());
            body.extend(length(CONTENT_TYPE));
            body.extend(CONTENT_TYPE);
        }
        [&[0; 4], &length(&body)[..], &body].concat()
    }
}

/// Opens the stream: nothing but frames comes after it.
pub(crate) async fn shake_hands(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(&Control::Ready.frame()).await?;
    stream.flush().await?;
    let (kind, offered) = read_control(stream).await?;
    if kind != Control::Accept as u32 {
        return Err(wrong(format!("control frame {kind} where ACCEPT was expected")));
    }
    if !offered.is_empty() && !offered.iter().any(|offer| offer == CONTENT_TYPE) {
        return Err(wrong("the sink does not take dnstap".to_owned()));
    }
    stream.write_all(&Control::Start.frame()).await?;
    stream.flush().await
}

/// Reads one control frame: its type, and the content types that it names.
pub(crate) async fn read_control(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u32, Vec<Vec<u8>>)> {
    if stream.read_u32().await? != 0 {
        return Err(wrong("a data frame where a control frame was expected".to_owned()));
    }
    let length = stream.read_u32().await? as usize;
    if !(size_of::<u32>()..=DNSTAP_CONTROL_MAX).contains(&length) {
        return Err(wrong(format!("a control frame of {length} octets")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let (kind, mut fields) = number(&body).ok_or_else(|| wrong("a control frame without a type".to_owned()))?;
    let mut types = Vec::new();
    while !fields.is_empty() {
        let field = number(fields).and_then(|(field, rest)| {
            let (length, rest) = number(rest)?;
            Some((field, rest.split_at_checked(length as usize)?))
        });
        let (field, (value, rest)) = field.ok_or_else(|| wrong("a control frame that is cut short".to_owned()))?;
        if field == FIELD_CONTENT_TYPE {
            types.push(value.to_vec());
        }
        fields = rest;
    }
    Ok((kind, types))
}

fn number(octets: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = octets.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn length(octets: &[u8]) -> [u8; 4] {
    u32::try_from(octets.len()).expect("a control frame is short").to_be_bytes()
}

fn wrong(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_frames_are_as_the_specification_draws_them() {
        assert_eq!(Control::Stop.frame(), [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3]);
        let ready = Control::Ready.frame();
        assert_eq!(ready[..20], [0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 22]);
        assert_eq!(&ready[20..], b"protobuf:dnstap.Dnstap");
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        for control in [Control::Accept, Control::Start, Control::Ready] {
            let (kind, types) = read_control(&mut &control.frame()[..]).await.unwrap();
            assert_eq!((kind, types), (control as u32, vec![CONTENT_TYPE.to_vec()]));
        }
        assert_eq!(read_control(&mut &Control::Stop.frame()[..]).await.unwrap(), (3, vec![]));
    }

    #[tokio::test]
    async fn no_sink_makes_us_read_without_end() {
        for (octets, reason) in [
            (&[0, 0, 0, 1, 0, 0, 0, 4][..], "a data frame"),
            (&[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0], "of 3 octets"),
            (&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "of 4294967295 octets"),
            (&[0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9], "cut short"),
        ] {
            let error = read_control(&mut &octets[..]).await.unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[tokio::test]
    async fn a_sink_for_something_else_is_told_apart() {
        let accept = |content: &[u8]| {
            let mut body = [1_u32.to_be_bytes(), 1_u32.to_be_bytes(), length(content)].concat();
            body.extend(content);
            [&[0; 4], &length(&body)[..], &body].concat()
        };
        for (content, taken) in [(CONTENT_TYPE, true), (b"protobuf:other", false)] {
            let (mut ours, mut theirs) = tokio::io::duplex(1_024);
            theirs.write_all(&accept(content)).await.unwrap();
            assert_eq!(shake_hands(&mut ours).await.is_ok(), taken);
            assert_eq!(read_control(&mut theirs).await.unwrap().0, Control::Ready as u32);
            drop(ours);
            assert_eq!(read_control(&mut theirs).await.is_ok_and(|(kind, _)| kind == Control::Start as u32), taken);
        }
    }
}
