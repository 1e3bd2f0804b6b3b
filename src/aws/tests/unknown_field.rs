//! A change of a distribution loses nothing that is configured there, known here or not.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::aws::{AwsClients, AwsConnection, AwsErrorKind, CloudFront};

/// As CloudFront answers it, empty elements and all (CloudFront API Reference, "GetDistributionConfig").
const CONFIG: &str = include_str!("distribution_config.xml");

/// Answers every GET with the configuration, and keeps the body of every PUT.
fn server(config: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let written = Arc::new(Mutex::new(Vec::new()));
    let keep = written.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (method, body) = request(&mut stream);
            let answer = if method == "PUT" {
                "<Distribution/>"
            } else {
                &config
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\netag: E1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            if method == "PUT" {
                keep.lock().unwrap().push(body);
            }
        }
    });
    (url, written)
}

fn request(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        bytes.extend(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.parse().unwrap())
        });
        if body.len() >= length.unwrap_or(0) || count == 0 {
            let method = head.split(' ').next().unwrap_or_default();
            return (method.to_owned(), body.to_owned());
        }
    }
}

async fn client(endpoint: String) -> CloudFront {
    let connection = AwsConnection {
        endpoint_url: Some(endpoint),
        local: true,
        ..AwsConnection::default()
    };
    AwsClients::connect(connection, None)
        .await
        .unwrap()
        .cloudfront()
}

async fn attach(config: String) -> (Result<bool, crate::aws::AwsError>, Vec<String>) {
    let (url, written) = server(config);
    let policies = BTreeMap::from([("*".to_owned(), Some("p1".to_owned()))]);
    let cloudfront = client(url).await;
    let attached = cloudfront.associate_headers_policies("E1", &policies).await;
    let written = written.lock().unwrap().clone();
    (attached, written)
}

#[tokio::test]
async fn all_that_is_known_is_sent_back() {
    let (attached, written) = attach(CONFIG.to_owned()).await;
    assert!(attached.unwrap());
    let [body] = written.as_slice() else {
        panic!("{written:?}");
    };
    for kept in ["<Comment>a &amp; b<", "<ResponseHeadersPolicyId>p1<"] {
        assert!(
            body.to_lowercase().contains(&kept.to_lowercase()),
            "{kept}: {body}"
        );
    }
}

#[tokio::test]
async fn a_field_that_is_not_known_keeps_everything_as_it_is() {
    for (within, path) in [
        ("</Logging>", "Logging/Novelty"),
        ("</Origin>", "Origins/Items/Origin/Novelty"),
        ("</DistributionConfig>", "Novelty"),
    ] {
        let novelty = format!("<Novelty><Inner>1</Inner></Novelty>{within}");
        let (attached, written) = attach(CONFIG.replacen(within, &novelty, 1)).await;
        let error = attached.unwrap_err();
        assert!(error.is(&AwsErrorKind::UnknownField), "{error}");
        let said = format!("does not know `{path}`, and would lose it");
        assert!(error.to_string().contains(&said), "{error}");
        assert!(written.is_empty(), "{written:?}");
    }
}

#[tokio::test]
async fn an_origin_that_signs_nothing_is_found() {
    for (control, expected) in [("E327GJI25M56DG", vec![]), ("", vec!["site"])] {
        let (_, config) = CONFIG.split_once('\n').unwrap();
        let config = config.replace("E327GJI25M56DG", control);
        let (url, _) = server(format!(
            "<Distribution><Id>E1</Id><ARN>a</ARN><Status>Deployed</Status><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>\
             <InProgressInvalidationBatches>0</InProgressInvalidationBatches><DomainName>d</DomainName>{config}</Distribution>"
        ));
        let described = client(url).await.describe("E1").await.unwrap();
        assert_eq!(described.unsigned_origins(), expected);
    }
}
