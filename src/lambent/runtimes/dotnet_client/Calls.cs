/*
 * The function's types as ours: made once by reflection, and from then on as fast as code that knows them.
 *
 * Not by compiled expressions, as AWS's client has it, nor by MethodInfo.Invoke: both load the library that emits code.
 */
using System;
using System.IO;
using System.Reflection;
using System.Threading.Tasks;

namespace Lambent.Runtime;

/// <summary>A handler's method, whatever it takes and returns.</summary>
internal abstract class Call
{
    public abstract void Bind(MethodInfo method, object? self, bool takesInput, bool takesContext);

    public abstract object? Run(object? input, object? context);
}

/// <summary>One that returns something.</summary>
internal sealed class Function<TInput, TContext, TResult> : Call
{
    private Func<TInput, TContext, TResult>? _ofBoth;
    private Func<TInput, TResult>? _ofInput;
    private Func<TContext, TResult>? _ofContext;
    private Func<TResult>? _ofNothing;

    public override void Bind(MethodInfo method, object? self, bool takesInput, bool takesContext)
    {
        if (takesInput && takesContext)
        {
            _ofBoth = method.CreateDelegate<Func<TInput, TContext, TResult>>(self);
        }
        else if (takesInput)
        {
            _ofInput = method.CreateDelegate<Func<TInput, TResult>>(self);
        }
        else if (takesContext)
        {
            _ofContext = method.CreateDelegate<Func<TContext, TResult>>(self);
        }
        else
        {
            _ofNothing = method.CreateDelegate<Func<TResult>>(self);
        }
    }

    public override object? Run(object? input, object? context)
    {
        if (_ofBoth != null)
        {
            return _ofBoth((TInput)input!, (TContext)context!);
        }
        if (_ofInput != null)
        {
            return _ofInput((TInput)input!);
        }
        return _ofContext != null ? _ofContext((TContext)context!) : _ofNothing!();
    }
}

/// <summary>One that returns nothing.</summary>
internal sealed class Procedure<TInput, TContext> : Call
{
    private Action<TInput, TContext>? _ofBoth;
    private Action<TInput>? _ofInput;
    private Action<TContext>? _ofContext;
    private Action? _ofNothing;

    public override void Bind(MethodInfo method, object? self, bool takesInput, bool takesContext)
    {
        if (takesInput && takesContext)
        {
            _ofBoth = method.CreateDelegate<Action<TInput, TContext>>(self);
        }
        else if (takesInput)
        {
            _ofInput = method.CreateDelegate<Action<TInput>>(self);
        }
        else if (takesContext)
        {
            _ofContext = method.CreateDelegate<Action<TContext>>(self);
        }
        else
        {
            _ofNothing = method.CreateDelegate<Action>(self);
        }
    }

    public override object? Run(object? input, object? context)
    {
        _ofBoth?.Invoke((TInput)input!, (TContext)context!);
        _ofInput?.Invoke((TInput)input!);
        _ofContext?.Invoke((TContext)context!);
        _ofNothing?.Invoke();
        return null;
    }
}

/// <summary>What comes of a task.</summary>
internal abstract class Waiter
{
    /// <summary>Wait for a task, and throw what it failed with, not the AggregateException around that.</summary>
    public abstract object? Wait(object task);
}

internal sealed class Waiter<T> : Waiter
{
    public override object? Wait(object task) => ((Task<T>)task).GetAwaiter().GetResult();
}

/// <summary>The function's serializer for one type.</summary>
internal abstract class Serializer
{
    public abstract void Bind(object serializer);

    public abstract object? Read(Stream body);

    public abstract void Write(object? result, Stream answer);
}

internal sealed class Serializer<T> : Serializer
{
    private Func<Stream, T>? _read;
    private Action<T, Stream>? _write;

    public override void Bind(object serializer)
    {
        _read = CoreLibrary.SerializerMethod(serializer, "Deserialize", typeof(T)).CreateDelegate<Func<Stream, T>>(serializer);
        _write = CoreLibrary.SerializerMethod(serializer, "Serialize", typeof(T)).CreateDelegate<Action<T, Stream>>(serializer);
    }

    public override object? Read(Stream body) => _read!(body);

    public override void Write(object? result, Stream answer) => _write!((T)result!, answer);
}
