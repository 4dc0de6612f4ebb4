//! `sluice check`, `explain` and `translate` on folders of manifests, without a gateway.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sluice_dsl::{
    Certificate, Cli, Http1, Origin, Request, SHOP, TlsClient, cli, secret_manifest, service_manifest,
};
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt};

/// The class `nginx`, of the controller whose behaviour is kept.
const CLASS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
";

fn shop(origin: &str) -> Cli {
    let services = service_manifest("shop/web", &[&origin]);
    cli!().file("shop/class.yaml", CLASS).file("shop/web.yaml", SHOP).file("shop/services/web.yaml", services)
}

#[tokio::test]
async fn a_good_folder_passes_the_check_without_a_word() {
    let output = shop("127.0.0.1:9").run(["check", "shop"]).await;
    assert_eq!((output.code, &*output.stdout), (0, ""), "{}", output.stderr);
    assert_eq!(output.stderr, "sluice: shop: ok (4 objects)\n");
    // A folder may be written with its slash, and one without objects is no success to rely on.
    let output = cli!().file("none/a.yaml", "# nothing\n").run(["check", "none/"]).await;
    assert_eq!(
        (output.code, &*output.stderr),
        (0, "sluice: none: ok (no object of a kind that Sluice knows)\n")
    );
}

#[tokio::test]
async fn what_is_no_object_is_named_and_what_the_others_come_to_is_printed_all_the_same() {
    let cli = shop("127.0.0.1:9").file("shop/values.yaml", "replicas: 2\n").file(
        "shop/tls.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: { name: tls, namespace: shop }\ndata: { tls.crt: '?HUSH?', tls.key: HUSH }\n",
    );
    let output = cli.run(["check", "shop"]).await;
    assert_eq!(output.code, 1, "{}", output.stderr);
    for part in
        ["ERROR values.yaml:1:1: this is no Kubernetes object", "data[\"tls.crt\"]: the value is not base64"]
    {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    assert!(!output.stdout.contains("HUSH"), "{}", output.stdout);
    let output = cli.run(["translate", "shop"]).await;
    assert!(output.code == 1 && output.stdout.contains("shop.example.com"), "{}", output.stdout);
    let output = cli.run(["explain", "shop", "--host=shop.example.com"]).await;
    let said: Vec<&str> = output.stderr.lines().collect();
    assert!(said[0].starts_with("sluice: ERROR values.yaml:1:1: "), "{said:?}");
    assert!(
        said[1].contains("shop: 2 errors") && said[1].ends_with("`sluice check` names all of it"),
        "{said:?}"
    );
    let output = cli.run(["explain", "shop", "--path=cart"]).await;
    assert!(output.code == 2 && output.stderr.contains("a path begins with `/`"), "{}", output.stderr);
}

#[tokio::test]
async fn warnings_are_one_line_each_with_file_and_line_and_let_the_check_pass() {
    let cli = shop("127.0.0.1:9")
        .file("shop/web.yaml", SHOP.replace("service: { name: web", "service: { name: away"));
    let output = cli.run(["check", "shop"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let line = output.stdout.lines().next().unwrap();
    assert!(line.starts_with("WARNING Ingress shop/web: "), "{line}");
    assert!(line.contains("shop/away") && line.ends_with("(web.yaml:1)"), "{line}");
    assert_eq!(cli.run(["check", "shop", "--strict"]).await.code, 1);
}

#[tokio::test]
async fn an_object_that_is_rejected_fails_the_check_and_is_named_with_its_line() {
    let bad = SHOP
        .replace("pathType: Prefix", "pathType: Sideways")
        .replace("name: web, namespace", "name: bad, namespace");
    let cli = shop("127.0.0.1:9")
        .file("shop/more/bad.yaml", format!("{CLASS}---\n{bad}"))
        .file("shop/z.yml", "kind: ]");
    let output = cli.run(["check", "shop"]).await;
    assert_eq!(output.code, 1, "{}", output.stderr);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("ERROR z.yml:1:7: ")), "{lines:?}");
    let rejected = |line: &&&str| line.starts_with("ERROR Ingress shop/bad: ") && line.contains("pathType");
    let line = lines.iter().find(rejected).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.ends_with("(more/bad.yaml:15)"), "{line}");
    let second =
        |line: &&str| line.starts_with("ERROR IngressClass nginx: ") && line.contains("class.yaml:1");
    assert!(lines.iter().any(second), "{lines:?}");
    let alone = cli.run(["check", "shop/web.yaml"]).await;
    assert_eq!(alone.code, 0, "a manifest alone is checked as well: {}", alone.stdout);
}

#[tokio::test]
async fn an_explanation_names_the_object_its_rule_and_the_endpoint() {
    let cli = shop("127.0.0.1:4711");
    let output = cli.run(["explain", "shop", "--host", "shop.example.com", "--path", "/cart"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    for part in ["Ingress shop/web", "prefix /", "shop/web:80", "127.0.0.1:4711"] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
}

#[tokio::test]
async fn what_translate_prints_is_served_by_run() {
    let origin = Origin::saying("hello").await;
    let cli = shop(&origin.to_string());
    let translate = ["translate", "shop", "--bind=127.0.0.1", "--port-map=80=0,443=0", "--secrets=secrets"];
    let output = cli.run(translate).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.stdout, cli.run(translate).await.stdout, "each time the same, but for the certificate");
    let cli = cli.file("proxy.json", &output.stdout);
    let mut process = cli.start(["run", "proxy.json", "--admin=127.0.0.1:0"]);
    let line = process.says("sluice: listener port-80 on ").await;
    let address: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
    let reply = Http1::connect(address).await.send(&Request::get("/").host("shop.example.com")).await;
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    process.says("sluice: listener port-443 on ").await;
}

/// A Gateway that terminates TLS.
const GATEWAY: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: own, namespace: shop }
spec:
  selector: { app: gateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: [shop.example.com]
    tls: { mode: SIMPLE, credentialName: shop }
";

#[tokio::test]
async fn translate_never_prints_a_private_key_unasked_and_writes_keys_for_their_owner_alone() {
    let certificate = Certificate::of(&["shop.example.com"]);
    let cli = shop("127.0.0.1:9").file("shop/gateway.yaml", GATEWAY);
    let cli = cli.file("shop/secret.yaml", secret_manifest("shop/shop", &certificate));
    let translate = [
        "translate",
        "shop",
        "--bind=127.0.0.1",
        "--port-map=80=0,443=0",
        "--labels=app=gateway",
        "--pod-namespace=shop",
    ];
    let unasked = cli.run(translate).await;
    assert_eq!(unasked.code, 0, "{}", unasked.stderr);
    assert!(
        !unasked.stdout.contains("PRIVATE KEY") && unasked.stdout.contains(".key\""),
        "{}",
        unasked.stdout
    );
    assert!(unasked.stderr.contains("--secrets DIR"), "{}", unasked.stderr);
    let shown = cli.run(translate.into_iter().chain(["--show-secrets"])).await;
    assert!(shown.stdout.contains("PRIVATE KEY"), "{}", shown.stdout);

    let written = cli.run(translate.into_iter().chain(["--secrets=keys"])).await;
    assert!(!written.stdout.contains("PRIVATE KEY"), "{}", written.stdout);
    let files: Vec<_> = fs::read_dir(cli.folder().join("keys")).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 4, "those of the Gateway, and of the certificate for everybody else: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    let cli = cli.file("proxy.json", &written.stdout);
    let mut process = cli.start(["run", "proxy.json", "--admin=127.0.0.1:0"]);
    let line = process.says("sluice: listener port-443 on ").await;
    let address: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
    let client = TlsClient::trusting(&certificate, "shop.example.com", &[]);
    let reply =
        Http1::connect_tls(address, &client).await.send(&Request::get("/").host("shop.example.com")).await;
    assert_eq!(reply.status, 404, "the handshake succeeds, and there is no route yet");
}

#[tokio::test]
async fn flags_of_ingress_nginx_are_taken_by_their_own_names_and_those_without_effect_are_told() {
    let cli = shop("127.0.0.1:9").file("shop/web.yaml", SHOP.replace("  ingressClassName: nginx\n", ""));
    let explain = ["explain", "shop", "--host", "shop.example.com"];
    let without = cli.run(explain).await;
    assert!(!without.stdout.contains("shop/web:80"), "{}", without.stdout);
    let with =
        cli.run(explain.into_iter().chain(["--watch-ingress-without-class", "--profiling=false"])).await;
    assert!(with.stdout.contains("shop/web:80"), "{}", with.stdout);
    assert!(with.stderr.contains("--profiling: no effect"), "{}", with.stderr);
    for (flag, said) in [
        ("--watch-ingress-without-clas", "--watch-ingress-without-class"),
        ("--http-port=many", "many"),
        ("--port-map=80", "PORT=LOCAL"),
    ] {
        let output = cli.run(explain.into_iter().chain([flag])).await;
        assert_eq!(output.code, 2, "{flag}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{flag}: {}", output.stderr);
    }
}

#[tokio::test]
async fn a_gateway_without_manifests_says_what_it_needs() {
    let output = cli!().run(["gateway"]).await;
    assert_eq!(output.code, 2);
    assert!(
        output.stderr.contains("--manifests DIR") && output.stderr.contains("--kubeconfig"),
        "{}",
        output.stderr
    );
    let output = cli!().run(["gateway", "--manifests", "nowhere"]).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("nowhere"), "{}", output.stderr);
}
