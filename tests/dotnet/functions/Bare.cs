/* A function without a serializer, and without anything of AWS's: streams only. */
using System.IO;
using System.Threading.Tasks;

namespace App;

public class Bare
{
    public Stream Streams(Stream input) => input;

    public async Task<Stream> Later(Stream input)
    {
        await Task.Yield();
        return input;
    }

    public string Text(Stream input) => "";

    public void Value(int input)
    {
    }
}
