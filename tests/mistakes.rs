//! One mistake hides no other, and a running proxy does not notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use sluice_dsl::{Origin, Recipe, cli, sluice};
use std::collections::BTreeSet;

/// Each line that ends in `# wrong` has one mistake, and there are fifty.
const FIFTY_MISTAKES: &str = include_str!("mistakes/fifty.yaml");

fn wrong_lines() -> BTreeSet<usize> {
    let marked = FIFTY_MISTAKES.lines().enumerate().filter(|(_, line)| line.ends_with("# wrong"));
    marked.map(|(index, _)| index + 1).collect()
}

#[tokio::test]
async fn fifty_mistakes_are_fifty_diagnostics_and_exit_code_1() {
    let output = cli!().file("fifty.yaml", FIFTY_MISTAKES).run(["check", "--short", "fifty.yaml"]).await;
    assert_eq!(output.code, 1);
    let line_of = |diagnostic: &str| -> usize { diagnostic.split(':').nth(1).unwrap().parse().unwrap() };
    let errors: Vec<&str> = output.stdout.lines().filter(|line| line.contains(": error: ")).collect();
    let reported: BTreeSet<usize> = errors.iter().map(|line| line_of(line)).collect();
    assert_eq!(wrong_lines().len(), 50);
    assert_eq!(reported, wrong_lines(), "{}", output.stdout);
    assert_eq!(errors.len(), 50, "{}", output.stdout);
    assert!(output.stderr.contains("not usable, 50 errors"), "{}", output.stderr);
}

#[tokio::test]
async fn a_running_proxy_keeps_its_last_good_configuration() {
    let shop = Origin::saying("hello").await;
    let mut proxy = sluice!().in_front_of(&shop).await;
    proxy.write_config(FIFTY_MISTAKES);
    let why = proxy.refused().await;
    assert!(why.contains("did you mean"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "hello");
    proxy
        .change(|recipe: Recipe| {
            recipe.routes("- { name: new, action: { respond: { status: 200, body: new } } }")
        })
        .await;
    assert_eq!(proxy.get("/").await.text(), "new");
}

#[tokio::test]
async fn no_diagnostic_prints_a_secret() {
    let text =
        "secrets:\n  - name: key\n    kind: { key: { inline: tooshort-hunter2 } }\n    kinds: hunter2-too\n";
    for arguments in [["check", "secret.yaml", "--strict"], ["run", "secret.yaml", "--validate"]] {
        let output = cli!().file("secret.yaml", text).run(arguments).await;
        assert_eq!(output.code, 1);
        assert!(
            !output.stdout.contains("hunter2") && !output.stderr.contains("hunter2"),
            "{}",
            output.stdout
        );
    }
}
