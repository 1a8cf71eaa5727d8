/* What is done once, before the first event. */
using System;
using System.Collections.Generic;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;

namespace Lambent.Runtime;

/// <summary>AWS_LAMBDA_DOTNET_PREJIT: whether the function is compiled before its first event, and not as it runs.</summary>
internal static class Preparation
{
    public static bool IsWanted()
    {
        return Environment.GetEnvironmentVariable("AWS_LAMBDA_DOTNET_PREJIT")?.ToLowerInvariant() switch
        {
            "always" => true,
            "never" => false,
            // As the variable's default has it: where there is time to.
            _ => Environment.GetEnvironmentVariable("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency",
        };
    }

    /// <summary>Compile the methods of an assembly; what cannot be compiled fails when it is called, if ever.</summary>
    public static void Compile(Assembly assembly)
    {
        const BindingFlags All = BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic
            | BindingFlags.Instance | BindingFlags.Static;
        foreach (var type in TypesOf(assembly))
        {
            if (type.ContainsGenericParameters)
            {
                continue;
            }
            foreach (var method in type.GetMethods(All))
            {
                if (method.IsAbstract || method.ContainsGenericParameters)
                {
                    continue;
                }
                try
                {
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
                }
                catch (Exception)
                {
                    // Something that it refers to is not there.
                }
            }
        }
    }

    private static IEnumerable<Type> TypesOf(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException error)
        {
            return Array.FindAll(error.Types, type => type != null)!;
        }
    }
}

/// <summary>SnapStart: the function's hooks on both sides of the moment at which an environment is kept.</summary>
internal static class Snapshot
{
    /// <summary>
    /// Run the hooks before, wait for the restore, run those behind it.
    ///
    /// Throws HasBeenReported where a hook failed.
    /// </summary>
    public static void Take(RuntimeApi api, Logs logs)
    {
        try
        {
            var hooks = Hooks("CopyBeforeSnapshotCallbacksToRegistry");
            // What was registered last is undone first.
            hooks.Reverse();
            Run(hooks);
        }
        catch (Exception error)
        {
            logs.Write(Level.Error, Errors.Text(error));
            api.FailInit("Runtime.BeforeSnapshotError", Errors.Body(error));
            throw new HasBeenReported();
        }
        api.AwaitRestore();
        try
        {
            Run(Hooks("CopyAfterRestoreCallbacksToRegistry"));
        }
        catch (Exception error)
        {
            logs.Write(Level.Error, Errors.Text(error));
            api.FailRestore("Runtime.AfterRestoreError", Errors.Body(error));
            throw new HasBeenReported();
        }
    }

    private static void Run(List<Func<ValueTask>> hooks)
    {
        foreach (var hook in hooks)
        {
            hook().AsTask().GetAwaiter().GetResult();
        }
    }

    private static List<Func<ValueTask>> Hooks(string copy)
    {
        var hooks = new List<Func<ValueTask>>();
        var method = CoreLibrary.Loaded?.GetType("Amazon.Lambda.Core.SnapshotRestore")
            ?.GetMethod(copy, BindingFlags.Static | BindingFlags.NonPublic);
        if (method != null)
        {
            method.CreateDelegate<Action<Action<Func<ValueTask>>>>()(hooks.Add);
        }
        return hooks;
    }
}
