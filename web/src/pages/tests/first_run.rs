//! The first page: what it tells of where to send can be copied as it is.

use super::*;

fn receiver(address: &str, is_encrypted: bool) -> Option<Receiver> {
    Some(Receiver {
        address: address.to_owned(),
        is_encrypted,
    })
}

/// Served as it is by default.
fn usual() -> Receivers {
    Receivers {
        grpc: receiver("127.0.0.1:4317", false),
        http: receiver("127.0.0.1:4318", false),
        traces_path: "/v1/traces".to_owned(),
        ..Receivers::default()
    }
}

fn shown(receivers: Receivers) -> String {
    let data = Overview {
        receivers,
        ..Overview::default()
    };
    render(&frame("/", &[]), "Overview", |f| overview(&data, f))
}

fn assert_says(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word}\n{html}");
    }
}

/// The blocks that are there, by their names.
fn recipes_of(html: &str) -> Vec<&str> {
    html.split("<summary>")
        .skip(1)
        .filter_map(|rest| rest.split("</summary>").next())
        .filter(|name| *name != "Saved views")
        .collect()
}

#[test]
fn addresses_on_loopback_are_told_with_the_way_to_open_them() {
    let html = shown(usual());
    assert_says(
        &html,
        &[
            "Waiting for telemetry",
            "curl http://127.0.0.1:4318/v1/traces",
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317",
            "cannot reach OTLP/gRPC and OTLP/HTTP.",
            "--otlp-grpc 0.0.0.0:4317 --otlp-http 0.0.0.0:4318",
        ],
    );
    assert_eq!(recipes_of(&html).len(), 9, "{html}");
    assert!(
        !html.contains("TLS is on") && !html.contains("YOUR_TOKEN"),
        "{html}"
    );
}

#[test]
fn a_receiver_that_is_not_served_is_in_no_block() {
    let html = shown(Receivers {
        http: None,
        ..usual()
    });
    assert_says(&html, &["not served", "cannot reach OTLP/gRPC."]);
    assert!(
        !html.contains("http://not served") && !html.contains("4318"),
        "{html}"
    );
    assert_eq!(
        recipes_of(&html),
        [
            "Any SDK",
            "Python",
            "Node.js",
            "Java",
            "Go",
            "Rust",
            "OpenTelemetry Collector",
            "Istio"
        ]
    );
    let html = shown(Receivers {
        grpc: None,
        ..usual()
    });
    assert_says(
        &html,
        &[
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            "with_http()",
            "otlphttp",
            "http: { path: /v1/traces }",
        ],
    );
    assert!(!html.contains("4317"), "{html}");
    // A bundle receives nothing at all.
    let html = shown(Receivers::default());
    assert_says(&html, &["nothing is received here"]);
    assert!(recipes_of(&html).is_empty(), "{html}");
}

#[test]
fn a_socket_is_no_host() {
    let html = shown(Receivers {
        grpc: receiver("unix:/run/grpc.sock", false),
        http: receiver("unix:/run/http.sock", false),
        ..usual()
    });
    assert!(!html.contains("http://unix:"), "{html}");
    assert_says(
        &html,
        &[
            "curl --unix-socket /run/http.sock http://localhost/v1/traces",
            "endpoint: unix:/run/grpc.sock",
        ],
    );
    assert_eq!(
        recipes_of(&html),
        ["curl, one span", "OpenTelemetry Collector"]
    );
    assert!(!html.contains("Loopback only"), "{html}");
}

#[test]
fn an_open_address_is_told_by_the_host_of_the_page_and_the_other_is_still_loopback() {
    let html = shown(Receivers {
        grpc: receiver("0.0.0.0:4317", false),
        asked_host: Some("trip.example".to_owned()),
        ..usual()
    });
    assert_says(
        &html,
        &[
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://trip.example:4317",
            "endpoint: trip.example:4317",
            "service: trip.example",
            "cannot reach OTLP/HTTP.",
            ">--otlp-http 0.0.0.0:4318<",
        ],
    );
    assert!(!html.contains("//0.0.0.0"), "{html}");
}

#[test]
fn tls_and_a_needed_secret_are_in_every_block() {
    let html = shown(Receivers {
        grpc: receiver("127.0.0.1:4317", true),
        http: receiver("127.0.0.1:4318", true),
        credential: Some(Credential {
            header: "authorization".to_owned(),
            value: "Bearer YOUR_TOKEN".to_owned(),
        }),
        ..usual()
    });
    assert_says(
        &html,
        &[
            "TLS is on.",
            "curl https://127.0.0.1:4318/v1/traces",
            "OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:4317",
            "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20YOUR_TOKEN",
        ],
    );
    assert!(
        !html.contains("http://127.0.0.1") && !html.contains("insecure: true"),
        "{html}"
    );
    for block in html.split("class=\"recipe\"").skip(1) {
        let block = block.split("</details>").next().unwrap_or(block);
        assert!(block.contains("YOUR_TOKEN"), "{block}");
    }
}

#[test]
fn another_path_of_traces_is_told_whole_or_as_a_base() {
    let html = shown(Receivers {
        grpc: None,
        traces_path: "/otlp/v1/traces".to_owned(),
        ..usual()
    });
    assert_says(
        &html,
        &[
            "curl http://127.0.0.1:4318/otlp/v1/traces",
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318/otlp \\",
        ],
    );
    let html = shown(Receivers {
        grpc: None,
        traces_path: "/spans".to_owned(),
        ..usual()
    });
    assert_says(
        &html,
        &[
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/spans",
            "traces_endpoint: http://127.0.0.1:4318/spans",
        ],
    );
}
