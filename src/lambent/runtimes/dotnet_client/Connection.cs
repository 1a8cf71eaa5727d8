/*
 * A TCP connection by the system's own calls: System.Net.Sockets and what it brings along would be a quarter of a cold
 * start. Numeric IPv4 addresses only, which is what the variable of the Runtime API holds.
 */
using System;
using System.IO;
using System.Runtime.InteropServices;

namespace Lambent.Runtime;

internal sealed unsafe class Connection
{
    private const int AddressBytes = 16;
    private const int Interrupted = 4;
    private const int Internet = 2;
    private const int Stream = 1;
    private const int CloseOnExec = 0x80000;
    private const int Tcp = 6;
    private const int NoDelay = 1;

    private readonly int _descriptor;

    /// <param name="address">host:port</param>
    public Connection(string address)
    {
        var place = stackalloc byte[AddressBytes];
        if (!Parse(address, place))
        {
            throw new IOException($"AWS_LAMBDA_RUNTIME_API is no numeric address with a port: '{address}'");
        }
        // Programs that the function starts have no use for it. Elsewhere there is no such flag, and no wall either.
        _descriptor = socket(Internet, OperatingSystem.IsLinux() ? Stream | CloseOnExec : Stream, Tcp);
        if (_descriptor < 0 || connect(_descriptor, place, AddressBytes) < 0)
        {
            throw new IOException($"no connection to the Runtime API at {address}: error {Marshal.GetLastSystemError()}");
        }
        var yes = 1;
        setsockopt(_descriptor, Tcp, NoDelay, &yes, sizeof(int));
    }

    public void Send(byte[] bytes, int length)
    {
        fixed (byte* begin = bytes)
        {
            for (var done = 0; done < length;)
            {
                var count = (int)write(_descriptor, begin + done, length - done);
                if (count < 0 && Marshal.GetLastSystemError() != Interrupted)
                {
                    throw new IOException("the Runtime API is gone");
                }
                done += Math.Max(count, 0);
            }
        }
    }

    /// <summary>Wait for some bytes, write them into an array from an index on, and return how many there are.</summary>
    public int Receive(byte[] bytes, int index)
    {
        fixed (byte* begin = bytes)
        {
            while (true)
            {
                var count = (int)read(_descriptor, begin + index, bytes.Length - index);
                if (count > 0)
                {
                    return count;
                }
                if (count == 0 || Marshal.GetLastSystemError() != Interrupted)
                {
                    throw new IOException("the Runtime API is gone");
                }
            }
        }
    }

    /// <summary>Write `127.0.0.1:9001` as the system has it: family, port and address, big-endian.</summary>
    private static bool Parse(string address, byte* place)
    {
        var at = 4;
        var number = -1;
        for (var index = 0; index <= address.Length; index++)
        {
            var character = index < address.Length ? address[index] : '\0';
            if (character is >= '0' and <= '9')
            {
                number = 10 * Math.Max(number, 0) + (character - '0');
                if (number > ushort.MaxValue)
                {
                    return false;
                }
            }
            else if (number >= 0 && number <= byte.MaxValue && (at < 7 ? character == '.' : at == 7 && character == ':'))
            {
                place[at++] = (byte)number;
                number = -1;
            }
            else if (number < 0 || at != 8 || character != '\0')
            {
                return false;
            }
        }
        place[2] = (byte)(number >> 8);
        place[3] = (byte)number;
        // The first byte is the length of the whole on macOS, the second the family; on Linux both are the family.
        if (OperatingSystem.IsMacOS())
        {
            place[0] = AddressBytes;
            place[1] = Internet;
        }
        else
        {
            place[0] = Internet;
        }
        return true;
    }

    [DllImport("libc")]
    private static extern int socket(int domain, int type, int protocol);

    [DllImport("libc")]
    private static extern int connect(int descriptor, byte* address, int length);

    [DllImport("libc")]
    private static extern int setsockopt(int descriptor, int level, int name, int* value, int length);

    [DllImport("libc")]
    private static extern nint read(int descriptor, byte* bytes, nint count);

    [DllImport("libc")]
    private static extern nint write(int descriptor, byte* bytes, nint count);
}
