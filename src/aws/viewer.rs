//! Asks for URLs as a viewer does: plain GETs, unsigned, redirects not followed.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use md5::{Digest, Md5 as Hasher};

use super::error::root_cause;
use crate::edge::expect::SeenAnswer;
use crate::object::Md5;

/// A client of its own: what viewers are answered has nothing to do with credentials. Cheap to clone.
#[derive(Clone)]
pub struct ViewerClient {
    connector: SharedHttpConnector,
    /// How long each part of an answer may take.
    patience: Duration,
    /// An `Authorization` header.
    authorization: Option<String>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingAnswer {
    /// Nobody began to answer: no such name, no connection, no TLS, or nothing was said in time.
    pub unreachable: bool,
    /// For people.
    pub why: String,
}

impl ViewerClient {
    /// Makes a client. `ca` is the content of a PEM file with further authorities; `patience` holds for connecting, for
    /// the answer's head and for each part of its body.
    pub fn new(ca: Option<&[u8]>, patience: Duration) -> Self {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(patience)
            .read_timeout(patience)
            .build();
        let mut builder = Connector::builder()
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        let trust = ca.map(|pem| TrustStore::default().with_pem_certificate(pem));
        let context = trust.map(|trust| TlsContext::builder().with_trust_store(trust).build());
        if let Some(Ok(context)) = context {
            builder = builder.tls_context(context);
        }
        Self {
            connector: SharedHttpConnector::new(builder.build()),
            patience,
            authorization: None,
        }
    }

    /// Returns a client that sends a password with each request: any name goes with it (RFC 7617).
    pub fn with_password(&self, password: &str) -> Self {
        let pair = base64_simd::STANDARD.encode_to_string(format!(":{password}"));
        Self {
            authorization: Some(format!("Basic {pair}")),
            ..self.clone()
        }
    }

    /// Asks for a URL, `http` or `https`, and reads the answer to its end.
    pub async fn get(&self, url: &str) -> Result<SeenAnswer, MissingAnswer> {
        let missing = |unreachable, error: &dyn std::error::Error| MissingAnswer {
            unreachable,
            why: root_cause(error),
        };
        let mut request = HttpRequest::get(url).map_err(|error| missing(false, &error))?;
        let agent = concat!("unstale/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert("user-agent", agent);
        if let Some(authorization) = &self.authorization {
            let headers = request.headers_mut();
            headers.insert("authorization", authorization.clone());
        }
        let answer = self
            .connector
            .call(request)
            .await
            .map_err(|error| missing(true, &error))?;
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let (status, headers) = (answer.status().as_u16(), headers.collect());
        let mut body = ByteStream::new(answer.into_body());
        let (mut size, mut hasher) = (0, Hasher::new());
        loop {
            let part = tokio::time::timeout(self.patience, body.next()).await;
            let part = part.map_err(|late| missing(false, &late))?;
            let Some(part) = part else { break };
            let part = part.map_err(|error| missing(false, &error))?;
            size += part.len() as u64;
            hasher.update(&part);
        }
        Ok(SeenAnswer {
            status,
            headers,
            size,
            md5: Md5(hasher.finalize().into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_comes_is_not_waited_for_forever() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
            stream.write_all(head).unwrap();
            // Until the client closes.
            let _ = stream.read(&mut [0; 4096]);
        });
        let viewer = ViewerClient::new(None, Duration::from_millis(100));
        let missing = viewer.get(&url).await.unwrap_err();
        assert!(!missing.unreachable, "{missing:?}");
    }
}
