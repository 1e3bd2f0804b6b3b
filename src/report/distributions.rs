//! `unstale distributions`: what there is, and what of it is understood.

use serde_json::{Value, json};

use super::json::merged;
use super::printer::Printer;
use super::text::{count, in_unit, shown_lines};
use crate::aws::AwsError;
use crate::aws::cloudfront::{ListedDistribution, ListedOrigin};
use crate::edge::distribution::{DEFAULT_ERROR_TTL, is_bucket_domain};
use crate::edge::{Behavior, Distribution, ErrorResponse, Origin, QueryKey, UriForm, UriRewrite};
use crate::object::tags;

/// Columns of what a line of the details is about.
const LABEL: usize = 12;

impl Printer {
    /// Prints a distribution, with its details where they were asked for; `Err`: why they may not be read.
    pub fn distribution(
        &self,
        distribution: &ListedDistribution,
        details: Option<&Result<Distribution, AwsError>>,
    ) {
        let origins: Vec<String> = distribution.origins.iter().map(place).collect();
        let object = json!({
            "type": "distribution",
            "id": distribution.id,
            "status": distribution.status,
            "domain": distribution.domain,
            "aliases": distribution.aliases,
            "origins": origins,
        });
        let Some(details) = details else {
            let origins = origins.iter().map(|origin| format!("\n  from {origin}"));
            let text: String = [head(distribution)].into_iter().chain(origins).collect();
            return self.result(&text, &object);
        };
        let lines = lines(details).into_iter().map(|(label, text)| {
            let label = format!("  {label:<LABEL$} ");
            self.labelled(&label, &shown_lines(&text))
        });
        let lines: Vec<String> = [head(distribution)].into_iter().chain(lines).collect();
        self.result(&lines.join("\n"), &merged(object, details_json(details)));
    }

    /// Ends the list.
    pub fn distributions_listed(&self, count: usize) {
        if count == 0 {
            self.line("This account has no distributions.");
        }
        self.summary(json!({"type": "summary", "distributions": count}));
    }
}

fn head(distribution: &ListedDistribution) -> String {
    let ListedDistribution {
        id, status, domain, ..
    } = distribution;
    let parts = [id, status, domain].map(String::as_str);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let mut text = parts.join("  ");
    if !distribution.aliases.is_empty() {
        text.push_str(&format!("\n  {}", distribution.aliases.join(", ")));
    }
    text
}

fn place(origin: &ListedOrigin) -> String {
    format!("{}{}", origin.domain, origin.path)
}

/// Returns what each line is about, and the line.
fn lines(details: &Result<Distribution, AwsError>) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Ok(distribution) = details {
        let origins = distribution.origins.iter();
        lines.extend(origins.map(|origin| ("origin", origin_in_words(origin))));
        let root = distribution.default_root_object.iter();
        lines.extend(root.map(|root| ("root", format!("/ is answered with {root}"))));
        let behaviors = distribution.behaviors.iter();
        lines.extend(behaviors.map(|behavior| {
            let text = behavior_in_words(distribution, behavior);
            ("behavior", text)
        }));
        let errors = distribution.error_responses.iter();
        lines.extend(errors.map(|response| ("error", error_in_words(response))));
        lines.push(("cache tags", tags_in_words(distribution)));
    }
    let consequences = consequences(details).into_iter();
    lines.extend(consequences.map(|text| ("a deploy", text)));
    lines
}

fn details_json(details: &Result<Distribution, AwsError>) -> Value {
    let Ok(distribution) = details else {
        return json!({"a-deploy": consequences(details)});
    };
    let origins = distribution.origins.iter().map(|origin| {
        json!({
            "id": origin.id, "domain": origin.domain, "path": origin.path, "website": origin.website,
            "bucket": bucket_of(&origin.domain),
        })
    });
    let behaviors = distribution.behaviors.iter().map(|behavior| {
        json!({
            "pattern": behavior.pattern, "origins": behavior.origins, "query": behavior.query,
            "min-ttl": behavior.min_ttl, "default-ttl": behavior.default_ttl, "max-ttl": behavior.max_ttl,
            "function": behavior.associated, "rewrite": behavior.rewrite,
        })
    });
    let errors = distribution.error_responses.iter().map(|response| {
        json!({
            "code": response.code, "page": response.page, "response-code": response.response_code,
            "ttl": response.ttl(),
        })
    });
    json!({
        "origin-details": origins.collect::<Vec<_>>(),
        "default-root-object": distribution.default_root_object,
        "behaviors": behaviors.collect::<Vec<_>>(),
        "error-responses": errors.collect::<Vec<_>>(),
        "cache-tag-header": distribution.cache_tag_header,
        "a-deploy": consequences(details),
    })
}

fn origin_in_words(origin: &Origin) -> String {
    let kind = match bucket_of(&origin.domain) {
        Some(bucket) if origin.website => format!("the bucket {bucket}, by its website endpoint"),
        Some(bucket) => format!("the bucket {bucket}, by its REST endpoint"),
        None => "no S3 bucket by its name".to_owned(),
    };
    format!("{}{}\n{kind}", origin.domain, origin.path)
}

/// Returns the bucket that a host name is of.
fn bucket_of(domain: &str) -> Option<&str> {
    let names = domain
        .match_indices(".s3")
        .map(|(end, _)| domain.get(..end));
    let mut names = names.flatten();
    names.find(|bucket| is_bucket_domain(domain, bucket))
}

fn behavior_in_words(distribution: &Distribution, behavior: &Behavior) -> String {
    let domain = |id: &String| {
        let mut origins = distribution.origins.iter();
        let origin = origins.find(|origin| origin.id == *id);
        origin.map_or(id.clone(), |origin| {
            format!("{}{}", origin.domain, origin.path)
        })
    };
    let origins: Vec<String> = behavior.origins.iter().map(domain).collect();
    let query = match &behavior.query {
        QueryKey::None => "query strings make no copies of their own".to_owned(),
        QueryKey::All => "each query string makes a copy of its own".to_owned(),
        QueryKey::Some(names) => format!(
            "each value of {} in the query string makes a copy of its own",
            names.join(", ")
        ),
    };
    let function = match &behavior.associated {
        None => "no function".to_owned(),
        Some(name) => format!("{name} {}", rewrite_in_words(&behavior.rewrite)),
    };
    let origins = origins.join(", else ");
    format!(
        "{} from {origins}\n{}; {query}\n{function}",
        behavior.pattern,
        ttls_in_words(behavior)
    )
}

/// Puts into words what a function that sees requests first does to the URI.
fn rewrite_in_words(rewrite: &UriRewrite) -> String {
    match rewrite {
        UriRewrite::None => "leaves the path alone".to_owned(),
        UriRewrite::IndexDirectory => "turns /dir/ and /dir into /dir/index.html".to_owned(),
        UriRewrite::Forms(forms) => {
            let forms: Vec<String> = forms.iter().map(form_in_words).collect();
            format!("turns {}", forms.join(", "))
        }
        UriRewrite::Unknown => "is not understood".to_owned(),
    }
}

fn form_in_words(form: &UriForm) -> String {
    match form {
        UriForm::Edit { taken, put } => {
            format!("{}*{} into {}*{}", taken.0, taken.1, put.0, put.1)
        }
        UriForm::Literal(text) => format!("paths into {text}"),
        UriForm::Any => "paths into others".to_owned(),
    }
}

fn ttls_in_words(behavior: &Behavior) -> String {
    let ttls = [behavior.min_ttl, behavior.default_ttl, behavior.max_ttl];
    let [min, default, max] = ttls.map(period);
    match ttls {
        [_, _, 0] => "nothing is kept".to_owned(),
        [least, _, most] if least == most => format!("kept {max}"),
        _ => format!("kept {min} to {max} as Cache-Control says, {default} without one"),
    }
}

fn error_in_words(response: &ErrorResponse) -> String {
    let answer = match (&response.page, response.response_code) {
        (Some(page), Some(code)) => format!("is answered with {page} as {code}"),
        (Some(page), None) => format!("is answered with {page}"),
        (None, _) => "goes to viewers as it is".to_owned(),
    };
    format!(
        "{} {answer}, kept {}",
        response.code,
        period(response.ttl())
    )
}

fn tags_in_words(distribution: &Distribution) -> String {
    match &distribution.cache_tag_header {
        None => "are not read".to_owned(),
        Some(header) if header.eq_ignore_ascii_case(tags::HEADER) => {
            format!("are read from {header}")
        }
        Some(header) => format!(
            "are read from {header}, which objects in S3 cannot have: {} it would have to be",
            tags::HEADER
        ),
    }
}

/// Writes seconds as configurations have them: `10 s`, `5 minutes`, `1 day`, `1 year`.
fn period(seconds: u64) -> String {
    let whole = in_unit(seconds, |unit| seconds > 0 && seconds.is_multiple_of(unit));
    whole.unwrap_or_else(|| format!("{} s", count(seconds)))
}

/// Returns what a deploy does because of what is not understood, or cannot be helped.
fn consequences(details: &Result<Distribution, AwsError>) -> Vec<String> {
    let distribution = match details {
        Ok(distribution) => distribution,
        Err(error) => {
            return vec![format!(
                "purges /* at each change, since the configuration cannot be read: {error} (allow {})",
                error.action
            )];
        }
    };
    let origins = distribution.origins.iter();
    let buckets = origins.filter(|origin| bucket_of(&origin.domain).is_some());
    let buckets: Vec<&Origin> = buckets.collect();
    // Where none is a bucket by its name, each may be.
    let is_ours = |behavior: &&Behavior| {
        buckets.is_empty() || buckets.iter().any(|origin| behavior.leads_to(&origin.id))
    };
    let behaviors = distribution.behaviors.iter().filter(is_ours);
    let errors = distribution.error_responses.iter();
    let mut told: Vec<String> = (behaviors.flat_map(of_behavior))
        .chain(errors.filter_map(of_errors))
        .collect();
    if buckets.is_empty() {
        told.push(
            "finds it by --distribution alone, since no origin is a bucket by its name".to_owned(),
        );
    }
    if told.is_empty() {
        told.push("purges exactly what it changed".to_owned());
    }
    told.dedup();
    told
}

fn of_behavior(behavior: &Behavior) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(name) = &behavior.associated
        && behavior.rewrite == UriRewrite::Unknown
    {
        told.push(format!(
            "purges /* at each change of a page, since {name} may show it at any path: `index` in deploy.toml says where it does, \
             `functions = \"rewrite\"` that it changes the path alone"
        ));
    }
    if let Some(lambda) = &behavior.origin_response {
        told.push(format!(
            "purges all that changed under {}, and each new path, since {lambda} may change what the origin answers",
            behavior.pattern
        ));
    }
    if behavior.fails_over {
        told.push(format!(
            "purges each new path under {}, since another origin answers what is missing",
            behavior.pattern
        ));
    }
    told
}

fn of_errors(response: &ErrorResponse) -> Option<String> {
    let page = response.page.iter();
    let page = page.map(|page| format!("/* when {page} changes"));
    let missing = matches!(response.code, 403 | 404).then(|| "each new path".to_owned());
    let purged: Vec<String> = page.chain(missing).collect();
    let is_long = response.ttl() > DEFAULT_ERROR_TTL && !purged.is_empty();
    is_long.then(|| {
        format!(
            "purges {}, since error {} is kept {} under every path that fails",
            purged.join(", and "),
            response.code,
            period(response.ttl())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_set_them() {
        for (seconds, text) in [
            (0, "0 s"),
            (10, "10 s"),
            (90, "90 s"),
            (60, "1 minute"),
            (300, "5 minutes"),
            (86_400, "1 day"),
            (31_536_000, "1 year"),
            (100_000, "100,000 s"),
        ] {
            assert_eq!(period(seconds), text);
        }
    }

    #[test]
    fn what_a_deploy_does_follows_from_the_configuration() {
        let origin = |domain: &str| Origin {
            id: domain.to_owned(),
            domain: domain.to_owned(),
            ..Origin::default()
        };
        let behavior = |domain: &str| Behavior {
            origins: vec![domain.to_owned()],
            associated: Some("function/f".to_owned()),
            rewrite: UriRewrite::Unknown,
            ..Behavior::default()
        };
        let error = |code, page: Option<&str>, ttl| ErrorResponse {
            code,
            page: page.map(str::to_owned),
            caching_min_ttl: Some(ttl),
            ..ErrorResponse::default()
        };
        let s3 = "b.s3.eu-west-1.amazonaws.com";
        let of = |behaviors, errors| {
            let distribution = Distribution {
                origins: vec![origin(s3), origin("api.example.com")],
                behaviors,
                error_responses: errors,
                ..Distribution::default()
            };
            consequences(&Ok(distribution)).join("\n")
        };
        let exact = "purges exactly what it changed";
        assert_eq!(of(vec![behavior("api.example.com")], Vec::new()), exact);
        assert!(of(vec![behavior(s3)], Vec::new()).contains("since function/f may"));
        for (error, told) in [
            (error(404, Some("/404.html"), 10), exact),
            (error(500, None, 60), exact),
            (
                error(403, None, 60),
                "purges each new path, since error 403",
            ),
            (
                error(500, Some("/5.html"), 60),
                "purges /* when /5.html changes, since",
            ),
            (
                error(404, Some("/404.html"), 60),
                "purges /* when /404.html changes, and each new path, since error 404 is kept 1 minute",
            ),
        ] {
            let all = of(Vec::new(), vec![error]);
            assert!(all.starts_with(told), "{all}");
        }
        let elsewhere = Distribution {
            behaviors: vec![behavior("x.example.com")],
            ..Distribution::default()
        };
        assert_eq!(consequences(&Ok(elsewhere)).len(), 2);
    }

    #[test]
    fn buckets_are_known_by_their_hosts() {
        for (domain, bucket) in [
            ("b.s3.amazonaws.com", Some("b")),
            (
                "www.b.org.s3-website-eu-west-1.amazonaws.com",
                Some("www.b.org"),
            ),
            ("a.s3.b.s3.eu-west-1.amazonaws.com", Some("a.s3.b")),
            ("api.s3.example.com", None),
        ] {
            assert_eq!(bucket_of(domain), bucket, "{domain}");
        }
    }
}
