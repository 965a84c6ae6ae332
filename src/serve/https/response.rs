//! The HTTP response to a question (RFC 8484 4.2, 5.1).

use std::future::poll_fn;

use bytes::Bytes;
use contract::wire::{Message, Rcode, Section};
use h2::SendStream;
use h2::server::SendResponse;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{Response, StatusCode};

use super::request::MEDIA_TYPE;

/// Sends a reply in wire format.
///
/// # Errors
/// The client or the connection is gone.
pub(super) async fn reply(mut respond: SendResponse<Bytes>, reply: Bytes) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CONTENT_LENGTH, reply.len().into());
    let caching = format!("max-age={}", fresh_for(&reply));
    headers.insert(CACHE_CONTROL, caching.try_into().expect("digits are allowed in a header"));
    let stream = respond.send_response(response, reply.is_empty())?;
    send_body(stream, reply).await
}

/// Refuses a request.
///
/// # Errors
/// The client or the connection is gone.
pub(super) fn refuse(mut respond: SendResponse<Bytes>, status: StatusCode) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    respond.send_response(response, true).map(drop)
}

/// Sends as the client's window allows, so that what it does not take is not copied.
async fn send_body(mut stream: SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = match poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(room) => room?,
            None => return Ok(()),
        };
        let part = body.split_to(room.min(body.len()));
        stream.send_data(part, body.is_empty())?;
    }
    Ok(())
}

/// Seconds that an HTTP cache may keep the reply: the smallest TTL of the answer, or of the SOA that denies it; a failure not
/// at all.
fn fresh_for(reply: &[u8]) -> u32 {
    let Ok(message) = Message::parse(reply) else {
        return 0;
    };
    if ![Rcode::NOERROR, Rcode::NXDOMAIN].contains(&message.rcode()) {
        return 0;
    }
    let smallest = |section| message.section(section).map(|record| record.ttl).min();
    smallest(Section::Answer).or_else(|| smallest(Section::Authority)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use contract::wire::{Class, Composer, Name, RecordType};

    use super::*;

    #[test]
    fn a_response_may_be_cached_as_long_as_its_shortest_lived_record() {
        let name = |text| Name::parse(text).unwrap();
        let mut reply = Composer::new(&name("a.example."), RecordType::A, Class::IN);
        reply.cname(&name("a.example."), &name("b.example."), 300).unwrap();
        reply.cname(&name("b.example."), &name("c.example."), 60).unwrap();
        let found = reply.finish().wire;
        assert_eq!(fresh_for(&found), 60);
        let mut failed = Composer::new(&name("a.example."), RecordType::A, Class::IN);
        failed.cname(&name("a.example."), &name("b.example."), 300).unwrap();
        failed.rcode(Rcode::SERVFAIL);
        assert_eq!(fresh_for(&failed.finish().wire), 0);
        assert_eq!(fresh_for(b"no message"), 0);
    }
}
