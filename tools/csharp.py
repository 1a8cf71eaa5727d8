"""
Compile C#: a list of jobs from stdin as JSON, all with one start of the compiler.

Runs in `.cache/dotnet`, which `tools/dotnet.py` sees to. The compiler is Roslyn, a library, called through pythonnet.

Each job: `{"output": path, "sources": [paths], "references": [paths], "executable": bool}`.
"""

import json
import sys
from pathlib import Path
from typing import Any

LANGUAGE_VERSION = "12.0"


def main(root: Path, compiler: Path) -> int:
    """
    Compile the jobs; return 1 and print the compiler's words when one fails.

    Args:
        root: the installation of .NET.
        compiler: the folder with the compiler's assemblies.
    """
    _start(root)
    import clr

    for name in ("Microsoft.CodeAnalysis", "Microsoft.CodeAnalysis.CSharp"):
        clr.AddReference(str(compiler / f"{name}.dll"))
    (framework,) = (root / "shared" / "Microsoft.NETCore.App").iterdir()
    references = _references(sorted(framework.glob("*.dll")))
    failed = False
    for job in json.load(sys.stdin):
        for error in compile_one(job, references):
            print(error, file=sys.stderr)
            failed = True
    return 1 if failed else 0


def _start(root: Path) -> None:
    """Load the runtime into this process."""
    import pythonnet
    from clr_loader import get_coreclr

    config = Path(sys.prefix) / "runtimeconfig.json"
    config.write_text(
        json.dumps(
            {
                "runtimeOptions": {
                    "framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"},
                    # Not every machine has libicu.
                    "configProperties": {"System.Globalization.Invariant": True, "System.Runtime.TieredPGO": False},
                }
            }
        )
    )
    pythonnet.load(get_coreclr(runtime_config=str(config), dotnet_root=str(root)))


def _references(paths: list[Path]) -> Any:
    from Microsoft.CodeAnalysis import MetadataReference
    from System.Collections.Generic import List

    made = List[MetadataReference]()
    for path in paths:
        if not path.name.startswith(("coreclr", "clr", "mscordaccore")):
            made.Add(MetadataReference.CreateFromFile(str(path)))
    return made


def compile_one(job: dict[str, Any], framework: Any) -> list[str]:
    """Compile one assembly and return what the compiler has against it."""
    from Microsoft.CodeAnalysis import (
        DiagnosticSeverity,
        MetadataReference,
        NullableContextOptions,
        OptimizationLevel,
        OutputKind,
        SyntaxTree,
    )
    from Microsoft.CodeAnalysis.CSharp import (
        CSharpCompilation,
        CSharpCompilationOptions,
        CSharpParseOptions,
        CSharpSyntaxTree,
        LanguageVersion,
        LanguageVersionFacts,
    )
    from System.Collections.Generic import List
    from System.IO import File
    from System.Text import Encoding

    output = Path(job["output"])
    known, version = LanguageVersionFacts.TryParse(LANGUAGE_VERSION, LanguageVersion.Default)
    assert known
    parsing = CSharpParseOptions(version)
    trees = List[SyntaxTree]()
    for source in job["sources"]:
        # By its name alone: what is compiled is to be the same wherever the checkout stands.
        text = Path(source).read_text(encoding="utf-8")
        trees.Add(CSharpSyntaxTree.ParseText(text, parsing, Path(source).name, Encoding.UTF8))
    references = List[MetadataReference](framework)
    for path in job.get("references", []):
        references.Add(MetadataReference.CreateFromFile(path))
    kind = OutputKind.ConsoleApplication if job.get("executable") else OutputKind.DynamicallyLinkedLibrary
    options = (
        CSharpCompilationOptions(kind)
        .WithOptimizationLevel(OptimizationLevel.Release)
        .WithNullableContextOptions(NullableContextOptions.Enable)
        .WithDeterministic(True)
        .WithAllowUnsafe(True)
    )
    compilation = CSharpCompilation.Create(output.stem, trees, references, options)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial")
    stream = File.Create(str(partial))
    try:
        result = compilation.Emit(stream)
    finally:
        stream.Close()
    if not result.Success:
        partial.unlink()
        return [str(one) for one in result.Diagnostics if one.Severity == DiagnosticSeverity.Error]
    partial.replace(output)
    return [str(one) for one in result.Diagnostics if one.Severity == DiagnosticSeverity.Warning and job.get("strict")]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
