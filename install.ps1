# Installs unstale's released binary, after its SHA-256 was checked. Needs no administrator.
#
#   irm https://github.com/unstale/unstale/releases/latest/download/install.ps1 | iex
#   & ([scriptblock]::Create((irm https://github.com/unstale/unstale/releases/latest/download/install.ps1))) -Version 0.1.0
#
# INSTALL_UNSTALE_VERSION, INSTALL_UNSTALE_TO  the same as variables
# INSTALL_UNSTALE_FROM                         where releases are, instead of GitHub: a mirror's URL
param(
    [string] $Version = $env:INSTALL_UNSTALE_VERSION,
    [string] $To = $env:INSTALL_UNSTALE_TO
)

# A function, so that `iex` leaves nothing of it in the session.
function Install-Unstale([string] $Version, [string] $To) {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue' # Windows PowerShell's bar makes downloads many times slower
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

    $from = if ($env:INSTALL_UNSTALE_FROM) { $env:INSTALL_UNSTALE_FROM } else { 'https://github.com/unstale/unstale/releases' }
    if (-not $To) { $To = Join-Path $HOME '.local\bin' }
    $Version = $Version -replace '^v', ''
    $target = 'x86_64-pc-windows-msvc' # Windows on ARM runs it, too
    $work = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
    $new = Join-Path $To ".unstale-new.$PID.exe"

    New-Item -ItemType Directory -Path $work | Out-Null
    try {
        # The list of checksums names the release's files, and so the latest version.
        $sums = if ($Version) { "$from/download/v$Version/SHA256SUMS" } else { "$from/latest/download/SHA256SUMS" }
        $list = Join-Path $work 'SHA256SUMS'
        Invoke-WebRequest -UseBasicParsing -Uri $sums -OutFile $list
        $wanted = if ($Version) { [regex]::Escape($Version) } else { '[0-9].*' }
        $pattern = "^([0-9a-f]{64})  (unstale-($wanted)-$target\.zip)$"
        $line = Get-Content $list | Select-String -Pattern $pattern -CaseSensitive | Select-Object -First 1
        if (-not $line) { throw "$sums has no archive for $target" }
        $groups = $line.Matches[0].Groups
        $expected = $groups[1].Value
        $archive = $groups[2].Value
        $Version = $groups[3].Value

        $file = Join-Path $work $archive
        Invoke-WebRequest -UseBasicParsing -Uri "$from/download/v$Version/$archive" -OutFile $file
        $found = (Get-FileHash -Algorithm SHA256 $file).Hash.ToLowerInvariant()
        if ($found -ne $expected) {
            throw "$archive is not what was released: its SHA-256 is $found, SHA256SUMS says $expected; nothing was installed"
        }
        Expand-Archive -Path $file -DestinationPath $work

        # Under another name first, and run once, so that what has the name is never half a binary nor one that does not run here.
        New-Item -ItemType Directory -Force -Path $To | Out-Null
        Copy-Item (Join-Path $work "unstale-$Version-$target\unstale.exe") $new
        $told = & $new --version
        if ($LASTEXITCODE -ne 0) { throw 'the binary does not run here; nothing was installed' }
        Move-Item -Force $new (Join-Path $To 'unstale.exe')
        Write-Output "Installed $told as $(Join-Path $To 'unstale.exe')"
        if (($env:PATH -split [IO.Path]::PathSeparator) -notcontains $To) {
            Write-Output "$To is not on PATH. For this user, from the next terminal on:"
            Write-Output "  [Environment]::SetEnvironmentVariable('Path', `"$To;`" + [Environment]::GetEnvironmentVariable('Path', 'User'), 'User')"
        }
    }
    finally {
        Remove-Item -Recurse -Force $work -ErrorAction SilentlyContinue
        Remove-Item -Force $new -ErrorAction SilentlyContinue
    }
}

Install-Unstale -Version $Version -To $To
