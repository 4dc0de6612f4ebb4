//! The command line: help, exit codes, messages.

use sluice_dsl::{Nobody, Origin, cli, sluice, tool};
use std::fs;

const COMMANDS: [&str; 12] = [
    "run",
    "gateway",
    "sidecar",
    "translate",
    "audit",
    "crds",
    "check",
    "explain",
    "schema",
    "echo",
    "quickstart",
    "completions",
];

const GOOD: &str = "
listeners: [{ name: web, address: 127.0.0.1:0, route_table: main }]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes: [{ name: hello, action: { respond: { status: 200, body: hi } } }]
";

#[tokio::test]
async fn check_accepts_what_is_good() {
    let output = cli!().file("good.yaml", GOOD).run(["check", "good.yaml"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, ""));
    assert_eq!(output.stderr, "sluice: good.yaml: ok\n");
}

#[tokio::test]
async fn check_shows_every_mistake_with_its_place_and_an_excerpt() {
    let bad = GOOD.replace("route_table: main }", "route_table: mian }").replace("status: 200", "status: 99");
    let output = cli!().file("bad.yaml", bad).run(["check", "bad.yaml"]).await;
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("bad.yaml:2:"), "{}", output.stdout);
    assert!(output.stdout.contains("did you mean `main`?"), "{}", output.stdout);
    assert!(output.stdout.contains("  ^"), "{}", output.stdout);
    assert!(output.stdout.contains("`99` is not a final status code"), "{}", output.stdout);
    assert_eq!(output.stderr, "sluice: bad.yaml: not usable, 2 errors\n");
}

#[tokio::test]
async fn run_validate_is_check() {
    let cli = cli!().file("good.yaml", GOOD).file("bad.yaml", "listeners: 5\n");
    assert_eq!(cli.run(["run", "good.yaml", "--validate"]).await.code, 0);
    let output = cli.run(["run", "bad.yaml", "--validate"]).await;
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("bad.yaml:1:12: error: listeners"), "{}", output.stdout);
}

#[tokio::test]
async fn run_refuses_a_bad_file_with_code_1() {
    let cli = cli!().file("bad.yaml", "listeners: 5\n");
    let output = cli.run(["run", "bad.yaml"]).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("bad.yaml:1:12: error: listeners"), "{}", output.stderr);
}

#[tokio::test]
async fn a_missing_file_is_named() {
    for command in ["run", "check", "explain"] {
        let output = cli!().run([command, "gone.yaml"]).await;
        assert_eq!(output.code, 1, "{command}");
        assert!(output.stderr.contains("gone.yaml"), "{command}: {}", output.stderr);
    }
}

#[tokio::test]
async fn a_taken_port_is_code_3_and_names_listener_and_address() {
    let shop = Origin::saying("hello").await;
    let taken = shop.address().to_string();
    let cli = cli!().file("good.yaml", GOOD);
    let listen = format!("--listen=web={taken}");
    let output = cli.run(["run", "good.yaml", "--admin=127.0.0.1:0", &listen]).await;
    assert_eq!(output.code, 3);
    assert!(output.stderr.contains(&format!("listener `web` cannot listen on {taken}")), "{}", output.stderr);

    let admin = format!("--admin={taken}");
    let output = cli.run(["run", "good.yaml", &admin]).await;
    assert_eq!(output.code, 3);
    assert!(
        output.stderr.contains(&format!("the admin endpoint cannot listen on {taken}")),
        "{}",
        output.stderr
    );
}

#[tokio::test]
async fn listen_moves_a_listener() {
    let place = Nobody::new();
    let address = place.address();
    drop(place);
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().argument(&format!("--listen=web={address}")).in_front_of(&shop).await;
    assert_eq!(proxy.address(), address);
    assert_eq!(proxy.get("/").await.text(), "hello");
}

#[tokio::test]
async fn a_wrong_command_line_is_code_2() {
    let cli = cli!().file("good.yaml", GOOD);
    for arguments in [
        ["run", "good.yaml", "--admin=nowhere"],
        ["run", "good.yaml", "--listen=8080"],
        ["run", "good.yaml", "--log=???="],
        ["explain", "good.yaml", "--header=x"],
        ["completions", "good.yaml", "powershoes"],
        ["frobnicate", "good.yaml", ""],
    ] {
        let output = cli.run(arguments).await;
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_schema_is_json_and_knows_listeners() {
    let output = cli!().run(["schema"]).await;
    assert_eq!(output.code, 0);
    let schema: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert!(schema["properties"]["listeners"].is_object());
}

#[tokio::test]
async fn completions_are_printed_for_each_shell() {
    for (shell, mark) in
        [("bash", "complete -F _sluice"), ("zsh", "#compdef sluice"), ("fish", "complete -c sluice")]
    {
        let output = cli!().run(["completions", shell]).await;
        assert_eq!(output.code, 0, "{shell}");
        assert!(output.stdout.contains(mark), "{shell}");
    }
}

#[tokio::test]
async fn version_and_help_are_useful() {
    let version = cli!().run(["--version"]).await;
    assert_eq!(version.code, 0);
    assert!(version.stdout.starts_with("sluice 0."), "{}", version.stdout);
    assert!(version.stdout.contains("Apache-2.0") && version.stdout.contains("HTTP/2"), "{}", version.stdout);

    let help = cli!().run(["--help"]).await;
    assert_eq!(help.code, 0);
    for word in ["run", "check", "explain", "schema", "echo", "quickstart", "completions", "Exit codes"] {
        assert!(help.stdout.contains(word), "{word}");
    }
    for command in ["run", "check", "explain", "audit", "echo", "quickstart"] {
        let help = cli!().run([command, "--help"]).await;
        assert!(help.stdout.contains("Examples:"), "{command}: {}", help.stdout);
    }
}

#[tokio::test]
async fn each_command_explains_itself() {
    for command in COMMANDS {
        let help = cli!().run([command, "--help"]).await;
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        assert!(help.stdout.contains(&format!("Usage: sluice {command}")), "{command}: {}", help.stdout);
        let short = cli!().run([command, "-h"]).await;
        assert_eq!(short.code, 0, "{command}");
        let wrong = cli!().run([command, "--no-such-thing"]).await;
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{command}");
        assert!(wrong.stderr.contains("--no-such-thing"), "{command}: {}", wrong.stderr);
    }
    let nothing = cli!().run([""; 0]).await;
    assert_eq!(nothing.code, 2);
    assert!(COMMANDS.iter().all(|command| nothing.stderr.contains(command)), "{}", nothing.stderr);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let cli = cli!().file("binary.yaml", b"listeners: \xff\xfe");
    fs::create_dir(cli.folder().join("folder.yaml")).unwrap();
    for command in ["run", "check", "explain"] {
        for (file, reason) in [("binary.yaml", "utf-8"), ("folder.yaml", ""), ("gone.yaml", "No such file")] {
            let output = cli.run([command, file]).await;
            assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{command} {file}");
            let said = output.stderr.to_lowercase();
            assert!(
                said.contains("cannot read the configuration") && said.contains(file),
                "{command}: {said}"
            );
            assert!(said.contains(&reason.to_lowercase()), "{command} {file}: {said}");
        }
    }
}

#[tokio::test]
async fn bash_takes_its_completions() {
    let completions = cli!().run(["completions", "bash"]).await.stdout;
    let cli = cli!().file("sluice.bash", &completions);
    let file = cli.folder().join("sluice.bash");
    let script = format!(
        "source '{}' && COMP_WORDS=(sluice '') COMP_CWORD=1 && _sluice sluice '' sluice && echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let Some(output) = tool("bash", ["-c", &script]).await else { return };
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(COMMANDS.iter().all(|command| output.stdout.contains(command)), "{}", output.stdout);
}

#[tokio::test]
async fn whoever_stops_reading_gets_no_complaint() {
    let script =
        format!("'{}' schema | head -n 1; echo \"${{PIPESTATUS[0]}}\"", env!("CARGO_BIN_EXE_sluice"));
    let Some(output) = tool("bash", ["-c", &script]).await else { return };
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("{\n0\n", ""));
}

#[tokio::test]
async fn the_configuration_in_the_readme_is_good() {
    let readme = include_str!("../README.md");
    let config = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let output = cli!().file("readme.yaml", config).run(["check", "--strict", "readme.yaml"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, ""));
}
