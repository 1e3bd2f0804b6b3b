//! The flags that a stack was made with: its template has them in a comment, so that a later run need not be told again. Pure.

use clap::Parser;

use crate::cli::SetupArgs;
use crate::edge::error_page::ErrorPage;

/// What the comment begins with.
const COMMAND: &str = "# unstale setup";

#[derive(Parser)]
struct EarlierFlags {
    #[command(flatten)]
    flags: SetupArgs,
}

/// Returns the comment of a template that is made with these flags. `error_pages`: what they, or the build, made of errors.
pub(super) fn comment(flags: &SetupArgs, error_pages: &[ErrorPage]) -> String {
    let flag = |name: &str, value: Option<String>| value.map(|value| format!(" --{name}={value}"));
    let price_class = flags.price_class.map(|class| class.flag());
    let named = [
        flag("domain", flags.domain.clone()),
        flag("hosted-zone", flags.hosted_zone.clone()),
        flag("github", flags.github.as_ref().map(ToString::to_string)),
        flag("github-provider", flags.github_provider.clone()),
        flag("price-class", price_class.map(str::to_owned)),
        flags.spa.then(|| " --spa".to_owned()),
    ];
    let pages = error_pages.iter();
    let pages = pages.filter_map(|page| flag("error-page", Some(page.to_string())));
    COMMAND.to_owned() + &named.into_iter().flatten().chain(pages).collect::<String>()
}

/// Returns the flags of an earlier run, as its template has them.
pub(crate) fn earlier_flags(template: &str) -> &str {
    let mut said = template
        .lines()
        .filter_map(|line| line.strip_prefix(COMMAND));
    said.next().unwrap_or_default().trim()
}

/// Returns the flags with what they leave open as the template of an earlier run has it; as they are where it does not tell.
pub(crate) fn with_earlier(flags: &SetupArgs, template: &str) -> SetupArgs {
    let words = std::iter::once("setup").chain(earlier_flags(template).split_whitespace());
    let Ok(EarlierFlags { flags: earlier }) = EarlierFlags::try_parse_from(words) else {
        return flags.clone();
    };
    let mut flags = flags.clone();
    if flags.domain.is_none() {
        flags.domain = earlier.domain;
        flags.hosted_zone = flags.hosted_zone.or(earlier.hosted_zone);
    }
    if flags.github.is_none() {
        flags.github = earlier.github;
        flags.github_provider = flags.github_provider.or(earlier.github_provider);
    }
    if flags.error_page.is_empty() {
        flags.error_page = earlier.error_page;
    }
    flags.spa |= earlier.spa;
    flags.price_class = flags.price_class.or(earlier.price_class);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[&str]) -> SetupArgs {
        let words = std::iter::once(&"setup").chain(words);
        EarlierFlags::try_parse_from(words).unwrap().flags
    }

    #[test]
    fn what_is_not_said_again_stays() {
        let first = flags(&[
            "--domain=www.example.com",
            "--hosted-zone=Z1",
            "--github=me/site@live",
            "--price-class=all",
        ]);
        let template = comment(&first, &[ErrorPage::new(404, "/404.html", 404)]);
        assert_eq!(
            template,
            "# unstale setup --domain=www.example.com --hosted-zone=Z1 --github=me/site@live --price-class=all --error-page=404=/404.html:404@10"
        );
        let again = |words: &[&str]| {
            let flags = with_earlier(&flags(words), &format!("# A site\n{template}\nx: y\n"));
            comment(&flags, &flags.error_page)
        };
        assert_eq!(again(&[]), template);
        assert_eq!(
            again(&["--domain=example.org", "--error-page=403=/x"]),
            "# unstale setup --domain=example.org --github=me/site@live --price-class=all --error-page=403=/x:403@10"
        );
        assert_eq!(
            again(&["--spa"]),
            template.replace(" --error", " --spa --error")
        );
        let plain = with_earlier(&flags(&["--spa"]), "x: y");
        assert!(plain.spa && plain.domain.is_none());
        assert!(with_earlier(&flags(&[]), &comment(&plain, &[])).spa);
    }
}
