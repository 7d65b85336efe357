# Unpacks OMERO.insight and Java on an instance of an Elastic fleet.
#
# AppStream runs it as SYSTEM when a session begins, before the first application, with a new instance for each session.
# What it prints is kept in the account's bucket appstream-logs-<region>-<account>-<id>.
param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('^[0-9a-f]{64}$')]
    [string] $Sha256,

    [string] $Target = 'C:\OMERO.insight'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$archive = Join-Path -Path $PSScriptRoot -ChildPath 'omero-insight.zip'
$unpacked = "$Target.new"

try {
    $found = (Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($found -ne $Sha256) {
        throw "$archive has the SHA-256 $found instead of $Sha256."
    }

    foreach ($old in @($unpacked, $Target)) {
        if (Test-Path -LiteralPath $old) {
            Remove-Item -LiteralPath $old -Recurse -Force
        }
    }

    # Faster than Expand-Archive, and what waits here is a person.
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    [System.IO.Compression.ZipFile]::ExtractToDirectory($archive, $unpacked)

    foreach ($needed in @('runtime\bin\javaw.exe', 'insight\config\container.xml')) {
        $path = Join-Path -Path $unpacked -ChildPath $needed
        if (-not (Test-Path -LiteralPath $path)) {
            throw "$archive has no $needed."
        }
    }

    # SYSTEM and Administrators may do anything, Users may read and run: nobody changes what others start.
    & icacls.exe $unpacked /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-32-545:(OI)(CI)RX' /Q
    if ($LASTEXITCODE -ne 0) {
        throw "icacls ended with $LASTEXITCODE."
    }

    # Last, so that it is there whole or not at all.
    Rename-Item -LiteralPath $unpacked -NewName (Split-Path -Path $Target -Leaf)
    Write-Output "OMERO.insight is in $Target."
}
catch {
    [Console]::Error.WriteLine("OMERO.insight could not be set up: $_")
    exit 1
}
