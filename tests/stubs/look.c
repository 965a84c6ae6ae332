/* Looks names up by the C library: `look addrinfo` by getaddrinfo, `look search` by res_search. See README.md. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void by_addrinfo(const char *name) {
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_CANONNAME }, *list = NULL;
    int error = getaddrinfo(name, NULL, &hints, &list);
    if (error) {
        printf("none %d", error);
        return;
    }
    printf("found");
    for (struct addrinfo *one = list; one; one = one->ai_next) {
        char text[INET6_ADDRSTRLEN];
        const void *address = one->ai_family == AF_INET6
                                  ? (const void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr
                                  : (const void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr;
        printf(" %s", inet_ntop(one->ai_family, address, text, sizeof text));
        if (one->ai_canonname)
            printf(" %s", one->ai_canonname);
    }
    freeaddrinfo(list);
}

#ifdef __GLIBC__
/* One record of the type asked for; records of other types (CNAME) are passed over. */
static void print_record(const ns_msg *message, const ns_rr *record, int type) {
    char text[NS_MAXDNAME];
    if ((int)ns_rr_type(*record) != type)
        return;
    if (type == ns_t_srv) {
        const unsigned char *data = ns_rr_rdata(*record);
        if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), data + 6, text, sizeof text) >= 0)
            printf(" %u:%u:%u:%s", ns_get16(data), ns_get16(data + 2), ns_get16(data + 4), text);
        return;
    }
    int family = type == ns_t_a ? AF_INET : AF_INET6;
    if (ns_rr_rdlen(*record) == (family == AF_INET ? 4 : 16))
        printf(" %s", inet_ntop(family, ns_rr_rdata(*record), text, sizeof text));
}

static void by_search(const char *name, int type) {
    static unsigned char reply[NS_MAXMSG];
    ns_msg message;
    int length = res_search(name, ns_c_in, type, reply, sizeof reply);
    if (length < 0 || ns_initparse(reply, length, &message) < 0) {
        printf("none %d", h_errno);
        return;
    }
    printf("found");
    for (int index = 0; index < ns_msg_count(message, ns_s_an); index++) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, index, &record) == 0)
            print_record(&message, &record, type);
    }
}
#endif

int main(int count, char **words) {
    char kind[8], name[1100];
    int search = count > 1 && strcmp(words[1], "search") == 0;
    puts("ready");
    fflush(stdout);
    while (scanf("%7s %1099s", kind, name) == 2) {
        int host = strcmp(kind, "host") == 0;
        if (host && !search) {
            by_addrinfo(name);
#ifdef __GLIBC__
        } else if (host) {
            by_search(name, ns_t_a);
            printf(" | ");
            by_search(name, ns_t_aaaa);
        } else if (search) {
            by_search(name, ns_t_srv);
#endif
        } else {
            printf("none unable");
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
