// Looks names up by Java: `Look inet` (InetAddress, the C library), `Look jndi` (JNDI's DNS provider). See README.md.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Hashtable;
import java.util.Map;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.DirContext;
import javax.naming.directory.InitialDirContext;

public class Look {
    public static void main(String[] words) throws Exception {
        boolean jndi = words[0].equals("jndi");
        // the servers of resolv.conf, as long as the URL names none
        var environment = Map.of("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory", "java.naming.provider.url", "dns:");
        DirContext context = jndi ? new InitialDirContext(new Hashtable<>(environment)) : null;
        System.out.println("ready");
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] parts = line.split(" ");
            if (!jndi) {
                System.out.println(byInetAddress(parts[1]));
            } else if (parts[0].equals("host")) {
                System.out.println(byJndi(context, parts[1], "A") + " | " + byJndi(context, parts[1], "AAAA"));
            } else {
                System.out.println(byJndi(context, parts[1], "SRV"));
            }
        }
    }

    static String byInetAddress(String name) {
        try {
            var found = new StringBuilder("found");
            for (InetAddress one : InetAddress.getAllByName(name)) {
                found.append(' ').append(one.getHostAddress());
            }
            return found.toString();
        } catch (UnknownHostException failure) {
            return "none UnknownHost";
        }
    }

    static String byJndi(DirContext context, String name, String type) {
        try {
            Attribute all = context.getAttributes(name, new String[] {type}).get(type);
            if (all == null) {
                return "none NoData";
            }
            var found = new StringBuilder("found");
            for (int index = 0; index < all.size(); index++) {
                found.append(' ').append(all.get(index).toString().replace(' ', ':'));
            }
            return found.toString();
        } catch (NamingException failure) {
            return "none " + failure.getClass().getSimpleName();
        }
    }
}
