// As much of the nat-upnp package as the tests use; it brings no types.
declare module 'nat-upnp' {
  type Callback<T> = (error: Error | null, value: T) => void;
  interface Mapping {
    public: { host: string; port: number };
    private: { host: string; port: number };
    description: string;
  }
  interface Client {
    portMapping(options: { public: number; private: number; ttl: number }, callback: Callback<void>): void;
    portUnmapping(options: { public: number }, callback: Callback<void>): void;
    getMappings(callback: Callback<Mapping[]>): void;
    externalIp(callback: Callback<string>): void;
    close(): void;
  }
  const natUpnp: { createClient(): Client };
  export default natUpnp;
}
