//! Whether everything in the dependency tree may be there.

use std::fs;

use serde::Deserialize;

use crate::Result;
use crate::build::cargo;
use crate::shell::{output, root};

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

/// Checks every package of the lock file against `deny.toml`.
pub(crate) fn check() -> Result {
    let deny: Deny = toml::from_str(&fs::read_to_string(root().join("deny.toml"))?)?;
    let allowed = deny.licenses.allow.iter().map(|name| licensee(name)).collect::<Result<Vec<_>>>()?;
    let metadata: Metadata =
        serde_json::from_str(&output(cargo(&["metadata", "--format-version", "1", "--locked"]))?)?;

    let mut refused = Vec::new();
    for package in &metadata.packages {
        let text = package.license.as_deref().unwrap_or("none");
        let fits = spdx::Expression::parse_mode(text, spdx::ParseMode::LAX).is_ok_and(|licence| {
            licence.evaluate(|wanted| allowed.iter().any(|allowed| allowed.satisfies(wanted)))
        });
        if !fits {
            refused.push(format!("{} {} ({text})", package.name, package.version));
        }
    }
    if !refused.is_empty() {
        return Err(format!("licences that deny.toml does not allow: {}", refused.join(", ")).into());
    }
    println!("licences: {} packages, all allowed", metadata.packages.len());
    Ok(())
}

fn licensee(name: &str) -> Result<spdx::Licensee> {
    Ok(spdx::Licensee::parse(name).map_err(|error| format!("deny.toml: {name}: {error}"))?)
}
