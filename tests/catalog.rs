//! The catalogue from outside: the example organisation, a first configuration, directories that cannot be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use opsbell::catalog::{self, Form, Loaded, Severity, render};

fn no_env(_: &str) -> Option<String> {
    None
}

fn errors(loaded: &Loaded) -> Vec<String> {
    loaded.findings.iter().filter(|f| f.severity == Severity::Error).map(catalog::Finding::brief).collect()
}

#[test]
fn the_example_organisation_has_no_errors() {
    let loaded = catalog::load_files(&catalog::example(), &no_env);
    assert_eq!(errors(&loaded), Vec::<String>::new());
    println!("{}", render(&loaded.findings, Form::Plain));
    println!("{}", render(&loaded.findings, Form::Graphical { colour: true, width: 100 }));
}

#[allow(dead_code)]
fn files(text: &str) -> BTreeMap<PathBuf, String> {
    [(Path::new("opsbell.toml").to_owned(), text.to_owned())].into()
}
