use crate::support::run;

/// Each command says what it does, in words that are read here when they change.
#[test]
fn the_help_of_each_command() {
    let folder = testkit::temp_dir().unwrap();
    let mut all = String::new();
    for command in [
        "",
        "serve",
        "demo",
        "chat",
        "check",
        "migrate",
        "doctor",
        "conversations",
        "conversations show",
        "send",
        "failed",
        "failed list",
        "failed retry",
        "dlq",
        "dlq list",
        "dlq discard",
        "jobs",
        "jobs list",
        "jobs run",
        "flags",
        "flags list",
        "flags set",
        "export",
        "erase",
        "move",
        "user",
        "user add",
        "user list",
        "user passwd",
        "token",
        "token create",
        "token list",
        "token revoke",
        "completions",
    ] {
        let args = format!("{command} --help");
        let ran = run(folder.path(), args.trim()).good();
        all.push_str(&format!("$ barid {}\n{}\n", args.trim(), ran.out));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn completions_of_every_shell_know_the_commands() {
    let folder = testkit::temp_dir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(folder.path(), &format!("completions {shell}")).good();
        assert!(ran.out.contains("conversations") && ran.out.contains("doctor"), "{shell}");
    }
}
