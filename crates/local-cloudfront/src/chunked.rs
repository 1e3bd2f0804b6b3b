//! Takes `aws-chunked` bodies apart: `SIZE[;chunk-signature=...]`, the bytes, and headers after the last chunk.

use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;
use hyper::HeaderMap;
use hyper::body::Body as _;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use s3s::Body;

use super::content::Trailers;
use super::http::header;

/// The body without its framing. Headers are put right, and the trailers' place goes into the request's extensions.
pub(super) fn decode(parts: &mut Parts, body: Body) -> Body {
    let encodings = header(&parts.headers, "content-encoding").unwrap_or_default();
    let encodings: Vec<String> = encodings
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    let marked = encodings.iter().any(|name| name == "aws-chunked");
    let signed = header(&parts.headers, "x-amz-content-sha256");
    let streaming = signed.is_some_and(|hash| hash.starts_with("STREAMING-"));
    parts.headers.remove("x-amz-content-sha256");
    if marked {
        let rest: Vec<String> = encodings
            .into_iter()
            .filter(|name| name != "aws-chunked")
            .collect();
        parts.headers.remove("content-encoding");
        if let (false, Ok(rest)) = (rest.is_empty(), HeaderValue::from_str(&rest.join(","))) {
            parts.headers.insert("content-encoding", rest);
        }
    }
    if !streaming {
        return body;
    }
    parts.headers.remove("content-length");
    parts.headers.remove("transfer-encoding");
    if let Some(length) = parts.headers.remove("x-amz-decoded-content-length") {
        parts.headers.insert("content-length", length);
    }
    let trailers = Trailers::default();
    if parts.headers.remove("x-amz-trailer").is_some() {
        parts.extensions.insert(trailers.clone());
    }
    let stream = Chunks {
        body,
        buffer: BytesMut::new(),
        state: FramingState::Size,
        trailers,
    };
    Body::from(s3s::dto::StreamingBlob::wrap(stream))
}

enum FramingState {
    Size,
    Data(usize),
    DataEnd,
    Trailer,
    Done,
}

struct Chunks {
    body: Body,
    buffer: BytesMut,
    state: FramingState,
    trailers: Trailers,
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

impl Chunks {
    fn line(&mut self) -> Option<Bytes> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let line = self.buffer.split_to(end + 1).freeze();
        Some(line.slice(..line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 }))
    }

    /// The next bytes of content as far as they have come. `Ok(None)`: more must come first.
    fn step(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            match self.state {
                FramingState::Size => {
                    let Some(line) = self.line() else {
                        return Ok(None);
                    };
                    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
                    let size = std::str::from_utf8(size).map_err(|_| broken("chunk size"))?;
                    let size = usize::from_str_radix(size.trim(), 16);
                    self.state = match size.map_err(|_| broken("chunk size"))? {
                        0 => FramingState::Trailer,
                        size => FramingState::Data(size),
                    };
                }
                FramingState::Data(left) => {
                    let ready = left.min(self.buffer.len());
                    if ready == 0 {
                        return Ok(None);
                    }
                    self.state = match left - ready {
                        0 => FramingState::DataEnd,
                        left => FramingState::Data(left),
                    };
                    return Ok(Some(self.buffer.split_to(ready).freeze()));
                }
                FramingState::DataEnd => {
                    if self.buffer.len() < 2 {
                        return Ok(None);
                    }
                    self.buffer.advance(2);
                    self.state = FramingState::Size;
                }
                FramingState::Trailer => {
                    let Some(line) = self.line() else {
                        return Ok(None);
                    };
                    if line.is_empty() {
                        self.state = FramingState::Done;
                    } else {
                        self.trailer(&line);
                    }
                }
                FramingState::Done => return Ok(None),
            }
        }
    }

    fn trailer(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            let mut headers = self
                .trailers
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            HeaderMap::insert(&mut headers, name, value);
        }
    }
}

impl Stream for Chunks {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.step() {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(None) => {}
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(std::io::Error::other(error))));
                }
                // Some clients leave out the empty line after the last chunk.
                Poll::Ready(None)
                    if matches!(self.state, FramingState::Trailer | FramingState::Done) =>
                {
                    return Poll::Ready(None);
                }
                Poll::Ready(None) => {
                    self.state = FramingState::Done;
                    return Poll::Ready(Some(Err(broken("body ended within a chunk"))));
                }
            }
        }
    }
}
