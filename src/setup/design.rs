//! From settings and flags to what the stack is to be.

use std::path::Path;

use super::flags::comment;
use super::rights::least_policy;
use super::template::{CertificatePlace, GithubTrust, StackDesign, StackDomain};
use crate::cli::SetupArgs;
use crate::edge::IndexLookup;
use crate::edge::error_page::{ErrorPage, with_denied};
use crate::error::Error;
use crate::rules::edge_function::EdgeFunction;
use crate::settings::setup_values::{GithubBranch, StackName};
use crate::settings::values::FunctionName;
use crate::settings::{DistributionSetting, Settings, build_dir};
use crate::survey;

/// Where CloudFront takes certificates from.
pub(crate) const CERTIFICATE_REGION: &str = "us-east-1";

/// What the account has already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccountParts {
    /// The id of the domain's Route 53 zone.
    pub zone: Option<String>,
    /// The ARN of GitHub's OIDC provider.
    pub provider: Option<String>,
}

impl AccountParts {
    /// Returns what the flags say of it: `none` is made here or left to do by hand.
    pub(crate) fn said(flags: &SetupArgs) -> Self {
        let said = |flag: &Option<String>| flag.clone().filter(|said| said != "none");
        Self {
            zone: said(&flags.hosted_zone),
            provider: said(&flags.github_provider),
        }
    }
}

/// Returns the stack's name.
///
/// # Errors
/// `Exit::Usage` where no bucket is named.
pub(crate) fn stack_name(settings: &Settings, flags: &SetupArgs) -> Result<String, Error> {
    let bucket = settings.bucket()?;
    let named = flags.stack.clone();
    Ok(named.unwrap_or_else(|| StackName::of_bucket(bucket)).0)
}

/// Returns what the stack is to be in this region.
///
/// # Errors
/// `Exit::Usage` where no bucket is named, and where the function cannot be written.
pub(crate) fn design(
    settings: &Settings,
    flags: &SetupArgs,
    region: &str,
    parts: AccountParts,
) -> Result<StackDesign, Error> {
    let bucket = settings.bucket()?;
    let stack = stack_name(settings, flags)?;
    let build = build_dir(settings, Path::new("")).ok();
    let named = settings
        .redirect_function
        .as_ref()
        .map(|name| name.0.as_str());
    let function = needs_function(settings, flags, build.as_deref())
        .then(|| Ok::<_, Error>((own_name(named, &stack), function(settings, bucket)?)))
        .transpose()?;
    let prefix = &settings.prefix.0;
    let own_state = settings
        .state
        .as_ref()
        .filter(|state| state.bucket == bucket);
    let state = own_state.map_or_else(
        || format!("{prefix}.unstale/"),
        |state| state.prefix.clone(),
    );
    let headers_policy = settings
        .headers_policy()
        .map(|name| own_name(Some(&name.0), &stack));
    let name = function
        .as_ref()
        .map(|(name, _)| FunctionName(name.clone()));
    let provider = parts.provider;
    let github = flags.github.as_ref();
    let github = github.map(|github| trust(github, provider, settings, name));
    let error_pages = error_pages(flags, build.as_deref())?;
    Ok(StackDesign {
        flags: comment(flags, &error_pages),
        bucket: bucket.to_owned(),
        prefix: prefix.clone(),
        state,
        price_class: flags.price_class.unwrap_or_default().name().to_owned(),
        error_pages,
        has_tags: settings.tags,
        function,
        headers_policy,
        domain: flags.domain.as_ref().map(|domain| StackDomain {
            name: domain.to_ascii_lowercase(),
            zone: parts.zone,
            certificate: if region == CERTIFICATE_REGION {
                CertificatePlace::SameStack
            } else {
                CertificatePlace::OwnStack
            },
        }),
        github: github.transpose()?,
        stack,
    })
}

/// Returns what a role for this branch may do: what `policy` prints for the site as it will be.
fn trust(
    github: &GithubBranch,
    provider: Option<String>,
    settings: &Settings,
    function: Option<FunctionName>,
) -> Result<GithubTrust, Error> {
    let mut deployed = settings.clone();
    deployed.redirect_function = function.or(deployed.redirect_function);
    deployed.distribution.0 = vec![DistributionSetting::Named("${Distribution}".to_owned())];
    Ok(GithubTrust {
        repository: github.repository.clone(),
        branch: github.branch.clone(),
        provider,
        policy: least_policy(&deployed)?,
    })
}

/// Returns the name that is set, or else the stack's: none can hold the id of a distribution that is not there yet.
fn own_name(named: Option<&str>, stack: &str) -> String {
    let named = named.filter(|name| !name.contains("{id}"));
    named.unwrap_or(stack).to_owned()
}

/// Tells whether requests have to go through a function: the settings ask for one, or folders' documents have to be found.
fn needs_function(settings: &Settings, flags: &SetupArgs, build: Option<&Path>) -> bool {
    let has_folders = match build {
        Some(build) => has_folder_documents(build),
        // Most generators write folders.
        None => !flags.spa,
    };
    settings.function_name().is_some() || settings.index != IndexLookup::None && has_folders
}

fn has_folder_documents(build: &Path) -> bool {
    let files = walkdir::WalkDir::new(build).min_depth(2);
    let mut files = files.into_iter().filter_map(Result::ok);
    files.any(|file| file.file_name() == "index.html")
}

/// Returns the code that a first deploy writes before it knows of anything but folders.
fn function(settings: &Settings, bucket: &str) -> Result<String, Error> {
    let function = EdgeFunction {
        site: format!("s3://{bucket}/{}", settings.prefix.0),
        rewrite: survey::rewrite(settings.index, &settings.extensions(), Vec::new()),
        ..EdgeFunction::default()
    };
    let code = function.code();
    code.map_err(|error| Error::usage(error.to_string()))
}

fn error_pages(flags: &SetupArgs, build: Option<&Path>) -> Result<Vec<ErrorPage>, Error> {
    let mut pages = flags.error_page.clone();
    if flags.spa {
        let named: Vec<u16> = pages.iter().map(|page| page.code).collect();
        let app = ErrorPage::of_app().into_iter();
        pages.extend(app.filter(|page| !named.contains(&page.code)));
    } else if pages.is_empty() && build.is_some_and(|build| build.join("404.html").is_file()) {
        pages.push(ErrorPage::new(404, "/404.html", 404));
    }
    let pages = with_denied(pages);
    let twice = pages.windows(2).find(|pair| pair[0].code == pair[1].code);
    match twice {
        Some(pair) => Err(Error::usage(format!(
            "--error-page names {} twice",
            pair[0].code
        ))),
        None => Ok(pages),
    }
}
