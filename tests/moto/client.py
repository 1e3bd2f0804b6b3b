"""Deploys every version of every site in turn through an S3 and a CloudFront that it is told, and looks each time with boto3
whether the bucket is the build, whether what changed was purged, and whether deploying again does nothing."""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import time
import urllib.parse
import urllib.request

import boto3
import botocore.config

# Left out of a build unless asked for, and read instead of uploaded.
LEFT_OUT = {".env", ".DS_Store"}
READ = {"_redirects", "_headers"}

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "m3u8": "application/vnd.apple.mpegurl",
    "map": "application/json",
    "mp4": "video/mp4",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ts": "video/mp2t",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "xml": "application/xml; charset=utf-8",
}
NAMES = {".nojekyll": "text/plain; charset=utf-8", "CNAME": "text/plain; charset=utf-8"}


def expected_type(key):
    name = key.rsplit("/", 1)[-1]
    if name in NAMES:
        return NAMES[name]
    if "." not in name:
        return "application/octet-stream"
    return TYPES[name.rsplit(".", 1)[1].lower()]


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


class World:
    """A server, and the bucket and distribution of one site on it."""

    def __init__(self, args, site):
        self.args = args
        self.bucket = f"site-{site}".lower()
        quick = botocore.config.Config(
            max_pool_connections=16, s3={"addressing_style": "path"}
        )
        at = {"endpoint_url": args.endpoint, "config": quick}
        self.s3 = boto3.client("s3", **at)
        self.cloudfront = boto3.client("cloudfront", **at)
        if args.local:
            listed = self.unstale(
                "distributions", f"--local={args.local}", "--bucket", self.bucket
            )
            origin = f"{self.bucket}.s3"
            listed = [line for line in listed if line["type"] == "distribution"]
            of_bucket = [d for d in listed if any(o.startswith(origin) for o in d["origins"])]
            check(len(of_bucket) == 1, f"one distribution before {self.bucket}: {listed}")
            self.distribution = of_bucket[0]["id"]
        else:
            self.s3.create_bucket(Bucket=self.bucket)
            self.distribution = self.create_distribution()

    def create_distribution(self):
        config = {
            "CallerReference": self.bucket,
            "Comment": "",
            "Enabled": True,
            "DefaultRootObject": "index.html",
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "site",
                        "DomainName": f"{self.bucket}.s3.us-east-1.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "site",
                "ViewerProtocolPolicy": "redirect-to-https",
                # All three: moto takes a missing one for 0, which no edge would keep anything by.
                "MinTTL": 0,
                "DefaultTTL": 86400,
                "MaxTTL": 31536000,
                "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
            },
        }
        answer = self.cloudfront.create_distribution(DistributionConfig=config)
        return answer["Distribution"]["Id"]

    def unstale(self, *arguments):
        """Runs it; the lines of its JSON."""
        line = [self.args.unstale, *arguments, "--json"]
        ran = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        what = f"{' '.join(line)}: {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr}"
        check(ran.returncode == 0 and "panicked" not in ran.stderr, what)
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def deploy(self, build):
        """Its summary. Assets that left the build go at once, and a whole rebuild is no accident here."""
        where = ["--endpoint-url", self.args.endpoint, "--path-style"]
        what = ["--bucket", self.bucket, "--distribution", self.distribution]
        how = ["--retain", "0s", "--max-delete", "10000"]
        return self.unstale("deploy", str(build), *where, *what, *how)[-1]

    def listing(self):
        """Everything in the bucket, the tool's own objects too."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {
            it["Key"]: (it["ETag"], it["Size"], it["LastModified"].isoformat())
            for page in pages
            for it in page.get("Contents", [])
        }

    def invalidations(self):
        pages = self.cloudfront.get_paginator("list_invalidations").paginate(
            DistributionId=self.distribution
        )
        lists = [page["InvalidationList"].get("Items", []) for page in pages]
        return {it["Id"]: it["Status"] for items in lists for it in items}

    def paths(self, identity):
        answer = self.cloudfront.get_invalidation(
            DistributionId=self.distribution, Id=identity
        )
        return answer["Invalidation"]["InvalidationBatch"]["Paths"]["Items"]

    def writes_while(self, act):
        """Requests that were not mere reads while `act` ran, where the server tells."""
        if self.args.local:
            act()
            return []
        recorder = f"{self.args.endpoint}/moto-api/recorder"

        def ask(what, method="POST"):
            request = urllib.request.Request(f"{recorder}/{what}", method=method)
            return urllib.request.urlopen(request).read().decode()

        ask("reset-recording")
        ask("start-recording")
        act()
        ask("stop-recording")
        lines = ask("download-recording", "GET").splitlines()
        check(lines, "the server records nothing")
        asked = [json.loads(line) for line in lines]
        return [f"{it['method']} {it['url']}" for it in asked if it["method"] not in ("GET", "HEAD")]


def files_of(build):
    files = {}
    for path in build.rglob("*"):
        key = path.relative_to(build).as_posix()
        if path.is_file() and path.name not in LEFT_OUT and key not in READ:
            files[key] = path
    return files


def redirects_of(build):
    """Sources and targets of `_redirects`."""
    file = build / "_redirects"
    lines = file.read_text().splitlines() if file.exists() else []
    return {line.split()[0].lstrip("/"): line.split()[1] for line in lines if line.strip()}


def check_bucket(world, build, files):
    """Bytes, types and names; the keys that edges may keep."""
    def same(key):
        answer = world.s3.get_object(Bucket=world.bucket, Key=key)
        body = answer["Body"].read()
        check(body == files[key].read_bytes(), f"{key} has other bytes")
        got, want = answer["ContentType"], expected_type(key)
        check(got == want, f"{key} has the type {got}, not {want}")
        check(answer.get("CacheControl"), f"{key} has no Cache-Control")
        return answer["CacheControl"]

    stored = {key for key in world.listing() if not key.startswith(".unstale/")}
    redirects = redirects_of(build)
    for key in stored & redirects.keys():
        answer = world.s3.head_object(Bucket=world.bucket, Key=key)
        check(answer.get("WebsiteRedirectLocation") == redirects[key], f"{key} redirects")
    odd = stored.symmetric_difference(files) - redirects.keys()
    check(not odd, f"build and bucket differ by {sorted(odd)[:10]}")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        controls = dict(zip(files, pool.map(same, files)))
    return {key for key, control in controls.items() if "s-maxage=0" not in control}


def covers(pattern, path):
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def encoded(key):
    # As browsers ask, and as CloudFront wants its paths: RFC 1738's unsafe characters and what is not ASCII.
    return "/" + urllib.parse.quote(key, safe="/+&$,;:@=!()'*~?").replace("?", "%3F")


def check_purge(paths, before, after, kept):
    """What edges may keep and what changed under its name, and every such page that went, is within what was purged."""
    changed = {key for key in kept if key in after and before[key] != after[key]}
    gone = {key for key in kept if key not in after and key.endswith(".html")}
    for key in sorted(changed | gone):
        path = encoded(key)
        check(any(covers(it, path) for it in paths), f"{path} was not purged: {paths[:20]}")
    return len(changed | gone)


def deploy_in_turn(world, versions):
    before, kept = {}, set()
    for build in versions:
        began = time.monotonic()
        files = files_of(build)
        after = {key: hashlib.sha256(path.read_bytes()).digest() for key, path in files.items()}
        earlier = world.invalidations()
        summary = world.deploy(build)
        took = time.monotonic() - began
        kept_now = check_bucket(world, build, files)
        now = world.invalidations()
        ours = [it for it in now if it not in earlier]
        paths = [path for it in ours for path in world.paths(it)]
        check(all(status.lower() == "completed" for status in now.values()), f"{now}")
        owed = check_purge(paths, before, after, kept)

        listing = world.listing()
        writes = world.writes_while(lambda: world.deploy(build))
        check(not writes, f"deploying again wrote: {writes}")
        check(world.listing() == listing, "deploying again changed the bucket")
        check(world.invalidations() == now, "deploying again purged")
        print(
            f"{'/'.join(build.parts[-2:]):16} {summary['uploaded']:4} uploaded {summary['deleted']:4} deleted"
            f" {summary['unchanged']:4} unchanged  {len(paths):3} paths for {owed} changed  {took:.1f} s",
            flush=True,
        )
        before, kept = after, kept_now


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unstale", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--local", help="the folder of --local, where the endpoint is that")
    parser.add_argument("sites", type=pathlib.Path)
    args = parser.parse_args()
    sites = sorted(path for path in args.sites.iterdir() if (path / "v1").is_dir())
    check(sites, f"no SITE/v1 in {args.sites}")
    for site in sites:
        versions = sorted(site.glob("v*"), key=lambda path: int(path.name[1:]))
        deploy_in_turn(World(args, site.name), versions)
    print(f"{len(sites)} sites: every bucket is its build, every change was purged, nothing is done twice")


main()
